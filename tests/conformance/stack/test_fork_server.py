"""A program that a fork server starts cannot tell it from a new interpreter, and keeps all the promises of the supervisor."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from peeklock.stack.environment.forking import program_of
from peeklock.supervision import process_tree
from peeklock.supervision.client import SupervisorClient

PROBE = """
import json, os, signal, sys, threading
from fractions import Fraction

print(json.dumps({
    "name": __name__, "file": __file__, "spec": getattr(__spec__, "name", None), "package": __package__,
    "argv": sys.argv, "orig_argv": sys.orig_argv, "path": sys.path, "flags": str(sys.flags), "executable": sys.executable,
    "cwd": os.getcwd(), "environment": dict(os.environ), "input": os.readlink("/proc/self/fd/0"),
    "files": len(os.listdir("/proc/self/fd")), "leads": os.getsid(0) == os.getpid(), "group": os.getpgrp() == os.getpid(),
    "parent": os.getppid(), "threads": threading.active_count(), "main": threading.current_thread() is threading.main_thread(),
    "handlers": [str(signal.getsignal(number)) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGPIPE, signal.SIGCHLD)],
    "encoding": [sys.stdout.encoding, sys.stdout.errors, sys.stdout.line_buffering, sys.stderr.encoding],
    "main_module": sys.modules["__main__"].__dict__ is globals(), "names": sorted(globals()), "half": str(Fraction(1, 2)),
}, sort_keys=True))
"""


class Programs:
    """Starts a Python program as services are started."""

    def __init__(self, supervisor: SupervisorClient, folder: Path) -> None:
        self.supervisor, self.folder = supervisor, folder

    def start(self, *arguments: str, fork: bool = True, name: str = "probe", **variables: str) -> bool:
        """Start it; whether it was forked."""
        argv, env = [sys.executable, *arguments], {"PATH": os.defpath, **variables}
        program = program_of(argv, env, self.folder) if fork else None
        self.supervisor.spawn(name, argv, env, self.folder, program=program)
        (child,) = self.supervisor.call("children", prefix=name)["children"]
        return bool(child["forked"])

    def run(self, *arguments: str, fork: bool = True, **variables: str) -> tuple[bool, int, list[str]]:
        """Run it to its end: whether it was forked, its exit status, its last lines."""
        forked = self.start(*arguments, fork=fork, **variables)
        code = int(self.supervisor.call("wait", name="probe", timeout=30)["code"])
        return forked, code, [text for _, text in self.supervisor.call("tail", name="probe", count=50)["lines"]]

    def both(self, *arguments: str, **variables: str) -> list[tuple[int, list[str]]]:
        """Run it as a new interpreter, and by forking."""
        forked, *executed = self.run(*arguments, fork=False, **variables)
        assert not forked
        forked, *found = self.run(*arguments, **variables)
        assert forked
        return [(executed[0], executed[1]), (found[0], found[1])]


@pytest.fixture
def programs(nothing_left: Callable[[], None], tmp_path: Path) -> Iterator[Programs]:
    client = SupervisorClient.start(tmp_path / "supervisor.log")
    yield Programs(client, tmp_path)
    client.shutdown(graceful=False)
    assert (tmp_path / "supervisor.log").read_text() == ""


def module(folder: Path, code: str, name: str = "probe") -> None:
    (folder / f"{name}.py").write_text(code)


@pytest.mark.parametrize("arguments", [["-m", "probe", "--port", "1"], ["probe.py", "--port", "1"]])
def test_it_sees_what_a_new_interpreter_sees(programs: Programs, tmp_path: Path, arguments: list[str]) -> None:
    module(tmp_path, PROBE)
    (code, executed), (forked_code, forked) = programs.both(*arguments, OWN="x", PYTHONUNBUFFERED="1")
    assert (code, forked_code) == (0, 0)
    assert json.loads(forked[-1]) == json.loads(executed[-1])


def test_each_start_has_its_own_variables_and_arguments(programs: Programs, tmp_path: Path) -> None:
    module(tmp_path, "import os, sys; print(sys.argv[1], os.environ['PORT'], os.popen('echo $PORT').read())")
    programs.both("-m", "probe", "1", PORT="1")
    assert programs.run("-m", "probe", "2", PORT="2") == (True, 0, ["2 2 2", ""])


ENDINGS: Mapping[str, str] = {
    "a status": "raise SystemExit(7)",
    "a text": "raise SystemExit('gone')",
    "an error": "def f():\n    raise ValueError('no')\nf()",
    "a signal": "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
    "Ctrl-C": "raise KeyboardInterrupt",
    "what runs at the end": "import atexit; atexit.register(print, 'bye'); print('here')",
    "a thread": "import threading, time; threading.Thread(target=lambda: (time.sleep(0.1), print('late'))).start()",
    "an import that fails": "import no_such_package",
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_it_ends_as_a_new_interpreter_ends(programs: Programs, tmp_path: Path, ending: str) -> None:
    module(tmp_path, "import probed", "probe")
    module(tmp_path, ENDINGS[ending], "probed")
    executed, forked = programs.both("-m", "probe")
    assert forked == executed


def test_an_error_of_syntax_is_told_by_the_program(programs: Programs, tmp_path: Path) -> None:
    module(tmp_path, "print('sound')")
    programs.both("-m", "probe")
    module(tmp_path, "x = = 1")
    _, code, lines = programs.run("-m", "probe")
    assert (code, lines[-1]) == (1, "SyntaxError: invalid syntax")


def test_changed_code_runs_at_the_next_start(programs: Programs, tmp_path: Path) -> None:
    module(tmp_path, "from own import text; print(text)")
    module(tmp_path, "text = 'old'", "own")
    programs.both("-m", "probe")
    module(tmp_path, "text = 'changed'", "own")
    assert programs.run("-m", "probe") == (True, 0, ["changed"])


def test_it_dies_with_the_supervisor(programs: Programs, tmp_path: Path) -> None:
    module(tmp_path, "import signal, sys\nprint('up', flush=True)\nif len(sys.argv) > 1: signal.pause()")
    programs.both("-m", "probe")
    assert programs.start("-m", "probe", "stay")
    (child,) = programs.supervisor.call("children", prefix="probe")["children"]
    os.kill(programs.supervisor.call("hello")["pid"], signal.SIGKILL)
    programs.supervisor.lost.wait(10)
    deadline = time.monotonic() + 10
    while child["pid"] in process_tree.descendants(os.getpid()) and time.monotonic() < deadline:
        os.sched_yield()
    assert child["pid"] not in process_tree.descendants(os.getpid())


def test_starts_that_come_while_packages_are_imported_are_forked_too(programs: Programs, tmp_path: Path) -> None:
    module(tmp_path, "import asyncio, signal\nprint('up', flush=True)\nsignal.pause()")
    names = [f"probe{number}" for number in range(4)]
    with ThreadPoolExecutor(len(names)) as pool:
        assert all(pool.map(lambda name: programs.start("-m", "probe", name=name), names))
    found = programs.supervisor.call("children", prefix="probe")["children"]
    assert len({child["pid"] for child in found}) == len(names)


def test_the_supervisor_does_not_wait_for_imports(programs: Programs, tmp_path: Path) -> None:
    """What it is asked for in the meantime is done: here, an import looks out for what another program makes."""
    found = installed(tmp_path, LOOKS_OUT)
    module(tmp_path, "import odd; print(odd.seen)")
    module(tmp_path, "open('made', 'w')", "other")
    with ThreadPoolExecutor(1) as pool:
        starting = pool.submit(programs.start, "-m", "probe", **found)
        programs.start("-m", "other", fork=False, name="other")
        assert starting.result(30)
    programs.supervisor.call("wait", name="probe", timeout=30)
    assert programs.supervisor.call("tail", name="probe", count=1)["lines"][0][1] == "True"


def test_a_program_that_cannot_be_forked_is_executed_at_once(programs: Programs, tmp_path: Path) -> None:
    module(tmp_path, "x = = 1")
    assert programs.run("-m", "probe")[:2] == (False, 1)


@pytest.mark.slow
def test_a_fork_server_that_hangs_is_given_up(programs: Programs, tmp_path: Path) -> None:
    module(tmp_path, "print('up')")
    programs.both("-m", "probe")
    (server,) = process_tree.descendants(programs.supervisor.call("hello")["pid"])
    os.kill(server, signal.SIGSTOP)
    assert programs.run("-m", "probe") == (False, 0, ["up"])
    assert server not in process_tree.descendants(os.getpid())


def test_one_that_ends_at_once_is_reaped_with_its_status(programs: Programs, tmp_path: Path) -> None:
    """Processes that end before the supervisor knows them are its children all the same."""
    module(tmp_path, "raise SystemExit(3)")
    programs.both("-m", "probe")
    assert [programs.run("-m", "probe") for _ in range(20)] == [(True, 3, [])] * 20


def installed(folder: Path, code: str) -> dict[str, Any]:
    """Install a package `odd`; the variables by which a program finds it."""
    packages = folder / "site-packages"
    packages.mkdir()
    module(packages, code, "odd")
    return {"PYTHONPATH": str(packages)}


LOOKS_OUT = """
import os, time
until = time.monotonic() + 8
while not (seen := os.path.exists("made")) and time.monotonic() < until: pass
"""

ODD = {
    "starts a thread": "import threading, time; threading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
    "opens a file": "kept = open('/dev/null')",
    "prints": "print('hello')",
    "sets a variable": "import os; os.environ['ODD'] = '1'",
    "handles a signal": "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)",
    "fails": "raise RuntimeError('not now')",
    "changes the folder": "import os; os.chdir('/')",
}


@pytest.mark.parametrize("deed", ODD)
def test_a_package_that_does_more_than_define_things_is_imported_by_the_program(
    programs: Programs, tmp_path: Path, deed: str
) -> None:
    found = installed(tmp_path, ODD[deed])
    module(tmp_path, "import sys\nprint('odd' in sys.modules)\ntry: import odd\nexcept RuntimeError: print('failed')")
    executed, forked = programs.both("-m", "probe", **found)
    assert forked == executed
    assert forked[1][0] == "False"


def test_a_package_that_reads_a_variable_is_shared_only_by_starts_with_the_same(
    programs: Programs, tmp_path: Path
) -> None:
    found = installed(tmp_path, "import os; mode = os.environ.get('MODE')")
    module(tmp_path, "import sys\nbefore = 'odd' in sys.modules\nimport odd; print(before, odd.mode)")
    assert programs.both("-m", "probe", MODE="a", **found)[1] == (0, ["True a"])
    assert programs.run("-m", "probe", MODE="b", **found) == (False, 0, ["False b"])  # by a new interpreter, this once
    assert programs.both("-m", "probe", MODE="b", **found)[1] == (0, ["False b"])


def test_a_package_that_was_installed_anew_is_imported_anew(programs: Programs, tmp_path: Path) -> None:
    found = installed(tmp_path, "version = 1")
    module(tmp_path, "import odd; print(odd.version)")
    programs.both("-m", "probe", **found)
    module(tmp_path / "site-packages", "version = 22", "odd.new")
    (tmp_path / "site-packages" / "odd.new.py").replace(tmp_path / "site-packages" / "odd.py")
    assert programs.run("-m", "probe", **found) == (False, 0, ["22"])


def test_other_commands_are_no_programs_of_python(tmp_path: Path) -> None:
    assert program_of(["/bin/sh", "-c", "true"], {}, tmp_path) is None
    assert program_of([sys.executable, "-c", "pass"], {}, tmp_path) is None
    assert program_of([sys.executable, "-X", "dev", "-m", "probe"], {}, tmp_path) is None


def test_one_switch_turns_it_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert program_of([sys.executable, "-m", "probe"], {}, tmp_path) is not None
    monkeypatch.setenv("PEEKLOCK_FORK_SERVER", "off")
    assert program_of([sys.executable, "-m", "probe"], {}, tmp_path) is None


def test_what_is_named_in_the_arguments_is_part_of_the_program(programs: Programs, tmp_path: Path) -> None:
    found = installed(tmp_path, "")
    module(tmp_path, "import importlib, sys; print('odd' in sys.modules); importlib.import_module(sys.argv[1][:-4])")
    module(tmp_path, "import odd", "shop")
    assert programs.both("-m", "probe", "shop:app", **found)[1] == (0, ["True"])
