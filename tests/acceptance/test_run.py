"""`peeklock run` in a user's own project: exit codes, output, artefacts, secrets."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.acceptance.conftest import Run, environment

SECRET_SHAPES = re.compile(
    r"sig=(?!\*\*\*)|AccountKey=(?!\*\*\*)|SharedAccessKey=(?!\*\*\*)|SharedAccessSignature sr=", re.IGNORECASE
)


def files_below(folder: Path) -> dict[Path, str]:
    return {path: path.read_text(encoding="utf-8", errors="replace") for path in folder.rglob("*") if path.is_file()}


def test_a_good_case_is_green(peeklock: Run, project: Path) -> None:
    """Own API, own worker, own folder: exit code 0, and the summary says so."""
    done = peeklock("run", "scenarios/doubling.yaml::good", "--junit", "out/junit.xml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "PASSED  scenarios/doubling.yaml::good" in done.stdout
    assert re.search(
        r"0 failed, 1 passed, in [\d.]+ s \(stack [\d.]+ s; cases: set-up [\d.]+, waiting [\d.]+, working [\d.]+\)",
        done.stdout,
    )
    assert ET.parse(project / "out" / "junit.xml").getroot().find(".//testcase[@name='good']") is not None


def test_a_failure_tells_the_story_and_leaks_nothing(peeklock: Run, project: Path) -> None:
    """Exit code 1; place, caret, expected, actual, timeline, artefacts; and no key in any file, though the services log theirs."""
    done = peeklock("run", "scenarios")
    assert done.returncode == 1, done.stdout + done.stderr
    for text in (
        "PASSED  scenarios/doubling.yaml::good",
        'scenarios/doubling.yaml:30:42  step "two and two are five"',
        "doubled: 5",
        "body.doubled   expected 5",
        "actual   4",
        "timeline (ms)",
        "stopped early",
        "SKIPPED scenarios/doubling.yaml::in_containers",
        "the embedded backend has not the ability: docker",
        "1 failed, 1 passed, 1 skipped",
    ):
        assert text in done.stdout
    found = files_below(project / ".peeklock")
    assert {path.name for path in found} >= {"events.ndjson", "failure.txt", "ledger.ndjson", "worker.log", "api.log"}
    for path, text in found.items():
        assert not SECRET_SHAPES.search(text), path
    assert not SECRET_SHAPES.search(done.stdout + done.stderr)
    tokens = {
        json.loads(line).get("token")
        for path, text in found.items()
        if path.name == "api.log"
        for line in text.splitlines()
        if line.startswith("{")
    }
    assert tokens <= {"***", None}
    again = peeklock("run", "--last-failed")
    assert "1 failed, 0 passed" in again.stdout


def test_bad_files_stop_before_anything_starts(peeklock: Run, project: Path) -> None:
    """Exit code 2, with every problem."""
    bad = Path(__file__).parents[1] / "unit" / "scenario" / "bad"
    shutil.copytree(bad, project / "bad", ignore=shutil.ignore_patterns("*.txt"))
    done = peeklock("run", "scenarios", "bad")
    assert done.returncode == 2
    assert "problems; nothing was started" in done.stderr
    assert not (project / ".peeklock").exists()
    assert peeklock("check", "bad").returncode == 2
    assert peeklock("check").returncode == 0


def test_a_service_that_does_not_start_is_a_named_error(peeklock: Run, project: Path) -> None:
    """Exit code 3, with its last words."""
    (project / "worker.py").write_text("raise SystemExit('no such model: /models/x.onnx')\n")
    done = peeklock("run", "scenarios/doubling.yaml::good")
    assert done.returncode == 3, done.stdout + done.stderr
    assert "worker" in done.stdout
    assert "no such model: /models/x.onnx" in done.stdout


def test_a_command_that_is_not_there_is_a_named_error(peeklock: Run, project: Path) -> None:
    path = project / "scenarios" / "doubling.yaml"
    path.write_text(path.read_text().replace("[python, worker.py]", "[no-such-program, worker.py]"))
    done = peeklock("run", "scenarios/doubling.yaml::good")
    assert done.returncode == 3, done.stdout + done.stderr
    assert "no-such-program" in done.stdout


def test_a_folder_that_cannot_be_written_is_a_named_error(peeklock: Run, project: Path) -> None:
    (project / ".peeklock").write_text("in the way")
    done = peeklock("run", "scenarios/doubling.yaml::good")
    assert done.returncode == 3
    assert ".peeklock" in done.stderr
    assert "Traceback" not in done.stderr


def test_repeat_and_flaky(peeklock: Run, project: Path) -> None:
    """A case that passes on one repetition and fails on another ends with 4, and is called flaky."""
    (project / "scenarios" / "flip.yaml").write_text(
        "scenario: flip\ncases:\n  flip:\n    steps:\n      - run: {python: 'flip:flip', with: {path: flag}}\n"
    )
    (project / "scenarios" / "flip.py").write_text(
        "from pathlib import Path\ndef flip(path):\n    flag = Path(path)\n    if flag.exists():\n        flag.unlink()\n    else:\n        flag.touch()\n        raise AssertionError('tails')\n"
    )
    done = peeklock("run", "scenarios/flip.yaml", "--repeat", "2")
    assert done.returncode == 4, done.stdout + done.stderr
    assert "flaky  scenarios/flip.yaml::flip" in done.stdout
    assert "flip: tails" in done.stdout


def test_pytest_collects_scenarios_as_items(project: Path) -> None:
    """`pytest scenarios -k … -n 2`, in a project that has nothing but the installed plugin."""
    command = [sys.executable, "-m", "pytest", "scenarios", "-p", "no:cacheprovider", "-p", "no:randomly", "-q", "-rs"]
    done = subprocess.run(
        [*command, "-n", "2"], cwd=project, env=environment(), capture_output=True, text=True, timeout=100, check=False
    )
    assert "1 failed, 1 passed, 1 skipped" in done.stdout, done.stdout + done.stderr
    assert "body.doubled   expected 5" in done.stdout
    quick = subprocess.run(
        [*command, "-k", "quick"],
        cwd=project,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert "1 passed, 2 deselected" in quick.stdout, quick.stdout


def test_the_fixtures_serve_any_suite(project: Path) -> None:
    """`servicebus` in a plain pytest file, with the plain SDK as its client."""
    (project / "test_mine.py").write_text(
        "import pytest\n"
        "from azure.servicebus import ServiceBusClient, ServiceBusMessage\n"
        "@pytest.mark.peeklock_queues('jobs', results={'max_delivery_count': 3})\n"
        "def test_sends(peeklock_servicebus):\n"
        "    with ServiceBusClient.from_connection_string(peeklock_servicebus.connection_string()) as client:\n"
        "        with client.get_queue_sender('jobs') as sender:\n"
        "            sender.send_messages(ServiceBusMessage('hello', message_id='1'))\n"
        "    assert [entry.event for entry in peeklock_servicebus.ledger.entries()] == ['enqueued']\n"
        "def test_stack(peeklock_stack):\n"
        "    assert peeklock_stack.backend == 'embedded'\n"
    )
    command = [sys.executable, "-m", "pytest", "test_mine.py", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        command, cwd=project, env=environment(), capture_output=True, text=True, timeout=60, check=False
    )
    assert "2 passed" in done.stdout, done.stdout + done.stderr


@pytest.mark.slow
def test_a_warm_stack_is_used_and_ends(peeklock: Run) -> None:
    """`up`, `status`, two runs, `logs`, `reset`, `down`."""
    try:
        up = peeklock("up")
        assert up.returncode == 0, up.stdout + up.stderr
        assert "servicebus" in up.stdout
        assert peeklock("status").returncode == 0
        first = peeklock("run", "scenarios/doubling.yaml::good")
        second = peeklock("run", "scenarios/doubling.yaml::good")
        assert (first.returncode, second.returncode) == (0, 0), first.stdout + second.stdout
        assert "(warm)" in second.stdout
        assert "worker started" in peeklock("logs", "worker").stdout
        assert "1 environment taken down" in peeklock("reset").stdout
    finally:
        down = peeklock("down")
    assert "down" in down.stdout
    assert peeklock("status").returncode == 1
