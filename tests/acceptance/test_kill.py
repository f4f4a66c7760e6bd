"""However `peeklock run` ends, within 5 s nothing of it is left: no process, no port, no temporary file."""

from __future__ import annotations

import contextlib
import os
import random
import select
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from peeklock.supervision import process_tree
from tests.acceptance.conftest import PEEKLOCK, environment

pytestmark = pytest.mark.skipif(
    not process_tree.LINUX, reason="orphans can only be found where the kernel hands them over (PR_SET_CHILD_SUBREAPER)"
)

GRACE = 5.0
MARKER = "PEEKLOCK_KILL_TEST"
WAITING = """\
  {name}:
    steps:
      - name: nobody sends one
        never:
          messages: {{queue: results}}
          for: {seconds}s
"""


class Watched:
    """A `peeklock run` under way, and everything that it has started."""

    def __init__(self, project: Path, temporary: Path, data: Path, *arguments: str) -> None:
        self.project, self.temporary, self.data = project, temporary, data
        self.marker = uuid.uuid4().hex
        self._before = set(process_tree.descendants(os.getpid()))
        self.ports: set[int] = set()
        self.output = ""
        self.process = subprocess.Popen(
            [PEEKLOCK, "run", "-v", *arguments],
            cwd=project,
            env=environment() | {MARKER: self.marker, "TMPDIR": str(temporary), "PEEKLOCK_DATA": str(data)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            # as in a terminal, whoever runs the tests: a script that puts them in the background has SIGINT ignored
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def until(self, text: str, seconds: float = 30.0) -> None:
        """Read output until `text` is there."""
        assert self.process.stdout is not None
        deadline = time.monotonic() + seconds
        while text not in self.output:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0.0, deadline - time.monotonic()))
            chunk = os.read(self.process.stdout.fileno(), 65536) if ready else b""
            assert chunk, f"{text!r} did not come:\n{self.output}"
            self.output += chunk.decode()

    def until_services_start(self) -> None:
        """Wait for the log file of the first service."""
        wait_for(lambda: [*(self.project / ".peeklock" / "logs").glob("*/*/*.log")], lambda: self.output, 30.0)

    def signal(self, number: int, pid: int | None = None) -> None:
        """Note which ports are listened on, then send a signal to `peeklock run`, or to one of its processes."""
        self.ports |= listening(self.processes())
        os.kill(pid or self.process.pid, number)

    def end(self) -> int:
        """Wait for its end and return its exit code."""
        rest, _ = self.process.communicate(timeout=30)
        self.output += rest.decode()
        return self.process.returncode

    def processes(self) -> set[int]:
        """Return what it has started that lives, itself included: orphans come to this process, and most bear the mark."""
        below = set(process_tree.descendants(os.getpid())) - self._before
        return below | {process.pid for process in process_tree.processes() if self._is_marked(process.pid)}

    def _is_marked(self, pid: int) -> bool:
        try:
            return f"{MARKER}={self.marker}".encode() in Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:  # gone, or not ours
            return False

    def left(self) -> list[str]:
        """Tell of everything that should not be there any more."""
        found = [f"process {pid}: {_command(pid)}" for pid in self.processes()]
        found += [str(path) for folder in (self.temporary, self.data) for path in folder.iterdir()]
        return found + [f"port {port}" for port in self.ports & set(_listening_sockets().values())]

    def catches(self, number: int) -> bool:
        """Tell whether `peeklock run` has a handler for a signal."""
        status = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        caught = next(int(line.split()[1], 16) for line in status if line.startswith("SigCgt:"))
        return bool(caught >> (number - 1) & 1)

    def supervisor(self) -> int:
        """Return the pid of the process that all others of the stack are children of; its own parent is the guard."""
        parents = {process.pid: process.parent for process in process_tree.processes()}
        return next(pid for pid in self.processes() if parents.get(parents.get(pid, 0)) == self.process.pid)


def wait_for(look: Callable[[], object], told: Callable[[], object], seconds: float = GRACE) -> None:
    """Return as soon as `look` gives something; fail with what is `told` when it has not after `seconds`."""
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {told()}"
        select.select([], [], [], 0.02)


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return "gone"


def _listening_sockets() -> dict[str, int]:
    """Return the port by inode of every listening socket."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {row[9]: int(row[1].rpartition(":")[2], 16) for row in rows if row[3] == "0A"}


def listening(pids: set[int]) -> set[int]:
    """Return the ports that these processes listen on."""
    by_inode = _listening_sockets()
    found: set[int] = set()
    for pid in pids:
        with contextlib.suppress(OSError):
            targets = [str(descriptor.readlink()) for descriptor in Path(f"/proc/{pid}/fd").iterdir()]
            inodes = [target[8:-1] for target in targets if target.startswith("socket:[")]
            found |= {by_inode[inode] for inode in inodes if inode in by_inode}
    return found


@pytest.fixture
def watched(project: Path, tmp_path: Path) -> Iterator[Callable[..., Watched]]:
    """Start `peeklock run` on the toy project, with all three dependencies; at the end nothing of it may be left."""
    process_tree.prctl(process_tree.PR_SET_CHILD_SUBREAPER, 1)
    path = project / "scenarios" / "doubling.yaml"
    text = path.read_text().replace("stack:\n", "stack:\n  postgres: {}\n  blobs: {containers: [images]}\n", 1)
    path.write_text(text)
    head = text.partition("cases:\n")[0]
    cases = WAITING.format(name="short", seconds=1) + WAITING.format(name="long", seconds=25)
    (project / "scenarios" / "waiting.yaml").write_text(f"{head}cases:\n{cases}")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    memory = Path("/dev/shm")
    data = Path(tempfile.mkdtemp(prefix="pk-kill-", dir=memory if memory.is_dir() else None))
    runs: list[Watched] = []

    def start(*arguments: str) -> Watched:
        runs.append(Watched(project, temporary, data, *arguments))
        return runs[-1]

    yield start
    for run in runs:
        if run.process.poll() is None:
            run.process.kill()
        run.process.communicate()
        try:
            wait_for(lambda run=run: not run.left(), run.left)
        finally:
            for pid in run.processes():
                process_tree.send(pid, signal.SIGKILL)
            _reap()
    process_tree.prctl(process_tree.PR_SET_CHILD_SUBREAPER, 0)
    shutil.rmtree(data, ignore_errors=True)


def _reap() -> None:
    """Bury the orphans that came to this process."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


MOMENTS: dict[str, tuple[Callable[[Watched], None], float]] = {
    "right after its start": (lambda _: None, 0.5),
    "while the stack comes up": (lambda run: run.until("peeklock run-"), 0.7),
    "while services come up": (Watched.until_services_start, 0.6),
    "in the middle of a case": (lambda run: run.until("::long …"), 0.3),
}
"""How to wait for a moment, and the longest time after it, in seconds."""


@pytest.mark.slow
@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_at_any_moment_it_leaves_nothing(watched: Callable[..., Watched], moment: str) -> None:
    """SIGKILL, which nobody can answer: the supervisor sees its owner gone and ends everything."""
    seed = random.randrange(1_000_000)
    wait, longest = MOMENTS[moment]
    delay = random.Random(seed).uniform(0.0, longest)
    print(f"seed {seed}: killed {delay:.3f} s after: {moment}")
    run = watched("scenarios/waiting.yaml::long")
    wait(run)
    select.select([], [], [], delay)
    run.signal(signal.SIGKILL)
    assert run.end() == -signal.SIGKILL
    wait_for(lambda: not run.left(), run.left)
    if moment == "in the middle of a case":
        assert len(run.ports) >= 4, "Postgres, Azurite, Service Bus and the API listen in a case"
        again = watched("scenarios/doubling.yaml::good")
        assert again.end() == 0, again.output


@pytest.mark.slow
def test_killed_supervisor_takes_everything_along(watched: Callable[..., Watched]) -> None:
    """`kill -9` of the process that is the parent of all: no child outlives it, and `peeklock run` says what happened."""
    run = watched("scenarios/waiting.yaml::long")
    run.until("::long …")
    supervisor = run.supervisor()
    children = run.processes() - {run.process.pid, supervisor}
    assert len(children) >= 5, [_command(pid) for pid in children]
    run.signal(signal.SIGKILL, supervisor)
    wait_for(lambda: not children & run.processes(), run.left)
    assert run.end() in (1, 3), run.output
    assert "Traceback" not in run.output
    assert "supervisor" in run.output


@pytest.mark.slow
def test_interrupted_it_ends_after_the_running_case(watched: Callable[..., Watched]) -> None:
    """Ctrl-C: the running case ends as it would, no other begins, the end is orderly, and the exit code is 1."""
    run = watched("scenarios/waiting.yaml::short", "scenarios/waiting.yaml::long")
    run.until("::short …")
    run.process.send_signal(signal.SIGINT)  # at once: the case lasts a second
    assert run.end() == 1, run.output
    assert "PASSED  scenarios/waiting.yaml::short" in run.output
    assert "::long …" not in run.output
    assert "interrupted" in run.output
    assert not run.left(), "an orderly end leaves nothing even for a moment"


@pytest.mark.slow
def test_interrupted_twice_it_ends_at_once(watched: Callable[..., Watched]) -> None:
    """The second Ctrl-C does not wait for the case."""
    run = watched("scenarios/waiting.yaml::long")
    run.until("::long …")
    run.signal(signal.SIGINT)
    run.until("once more")
    wait_for(lambda: not run.catches(signal.SIGINT), lambda: "it still waits for a second one")
    run.signal(signal.SIGINT)
    assert run.end() == -signal.SIGINT
    wait_for(lambda: not run.left(), run.left)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_watch_runs_again_and_takes_its_stack_along(watched: Callable[..., Watched], number: signal.Signals) -> None:
    """A scenario file that changes is run again, one that is not well written is told of; nothing outlives the watch."""
    run = watched("scenarios/doubling.yaml::good", "--watch")
    file = run.project / "scenarios" / "doubling.yaml"
    good = file.read_text(encoding="utf-8")
    for text, told in (("", "1 passed"), ("scenario: [broken", "not YAML"), (good, "1 passed")):
        if text:
            file.write_text(text, encoding="utf-8")
        run.until(told, 60)
        run.until("watching for changes", 60)
        run.output = ""
    run.signal(number)
    run.end()
    wait_for(lambda: not run.left(), run.left)
