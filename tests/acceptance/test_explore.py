"""`peeklock explore`: finds what is wrong with a worker from a case that passes, and nothing in the mended one."""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.acceptance.conftest import HERE, PEEKLOCK, Run, environment

CASE = "scenarios/orders.yaml::happy_path"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A worker that writes an invoice for each order, and a case in which it does."""
    return Path(shutil.copytree(HERE / "invoices", tmp_path / "invoices"))


def mend(project: Path) -> None:
    worker = project / "worker.py"
    text = worker.read_text()
    text = text.replace("(%s, %s)", "(%s, %s) ON CONFLICT (order_id) DO NOTHING")
    worker.write_text(text)
    (project / "migrations" / "2_once.sql").write_text("ALTER TABLE invoices ADD UNIQUE (order_id);\n")


@pytest.mark.timeout(300)
def test_a_bug_is_found_written_down_and_gone_once_it_is_mended(peeklock: Run, project: Path) -> None:
    """From the happy path alone; the written scenario fails by itself until the worker is mended."""
    found = peeklock("explore", CASE, "--only", "worker", "-x", timeout=200)
    assert found.returncode == 1, found.stdout + found.stderr
    assert "DOUBLED    worker dies before its send to invoiced#1 is done" in found.stdout
    assert "table invoices: doubled, 2 instead of 1: amount 17" in found.stdout
    assert "again: 3 of 3 times" in found.stdout
    written = "scenarios/orders_found_happy_path_1.yaml"
    failed = peeklock("run", written)
    assert (failed.returncode, "actual   2" in failed.stdout) == (1, True), failed.stdout
    mend(project)
    assert peeklock("run", written).returncode == 0
    sound = peeklock("explore", CASE, "--junit", "junit.xml", timeout=200)
    assert sound.returncode == 0, sound.stdout + sound.stderr
    assert "14 of 14 the same as undisturbed · 0 findings" in sound.stdout
    assert 'tests="14" failures="0"' in (project / "junit.xml").read_text()


def test_a_case_that_does_not_pass_is_not_explored(peeklock: Run, project: Path) -> None:
    scenario = project / "scenarios" / "orders.yaml"
    scenario.write_text(scenario.read_text().replace("{amount: 17}}", "{amount: 18}}"))
    refused = peeklock("explore", CASE)
    assert refused.returncode == 1
    assert 'the case does not pass undisturbed\n  actual: step "there is an invoice": first.amount' in refused.stdout


@pytest.mark.parametrize(
    ("target", "told"), [("scenarios/orders.yaml::none", 'no case "none"'), ("nowhere.yaml", "no such file")]
)
def test_what_is_not_there_is_told_before_anything_starts(peeklock: Run, target: str, told: str) -> None:
    refused = peeklock("explore", target)
    assert (refused.returncode, told in refused.stderr) == (2, True), refused.stderr


def test_a_budget_ends_it_and_tells_what_was_not_tried(peeklock: Run) -> None:
    """Nothing judged is no pass."""
    ended = peeklock("explore", CASE, "--budget", "10ms")
    assert (ended.returncode, "14 not tried" in ended.stdout) == (1, True), ended.stdout + ended.stderr


@pytest.mark.timeout(600)
def test_interrupted_it_says_what_it_knows_and_goes_on_from_there(peeklock: Run, project: Path) -> None:
    mend(project)
    notes = project / ".peeklock" / "explore" / "scenarios-orders" / "happy-path.ndjson"
    with subprocess.Popen(
        [PEEKLOCK, "explore", CASE], cwd=project, env=environment(), stdout=subprocess.PIPE, text=True
    ) as exploring:
        assert exploring.stdout is not None
        for line in exploring.stdout:
            if "not tried:" in line:  # the undisturbed runs are over
                break
        while not notes.exists() or len(notes.read_text().splitlines()) < 3:
            with contextlib.suppress(subprocess.TimeoutExpired):
                pytest.fail(f"ended by itself: {exploring.wait(0.1)}")
        exploring.send_signal(signal.SIGINT)
        told = exploring.stdout.read()
        assert exploring.wait(120) == 130, told
    assert "interrupted: this is what is known; --resume goes on" in told
    assert "0 findings" in told
    assert "report: .peeklock/explore/scenarios-orders/happy-path.html" in told
    known = notes.read_text().splitlines()
    assert 3 <= len(known) < 15
    rest = peeklock("explore", CASE, "--resume", timeout=400)
    assert (rest.returncode, "14 of 14 the same as undisturbed" in rest.stdout) == (0, True), rest.stdout
    assert notes.read_text().splitlines()[: len(known)] == known


@pytest.mark.timeout(600)
def test_a_message_that_is_sent_after_the_commit_is_lost_with_its_sender(tmp_path: Path) -> None:
    """The API dies between the two; the written scenario fails each time, and passes once there is an outbox."""
    project = Path(shutil.copytree(HERE / "orders", tmp_path / "orders"))

    def peeklock(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [PEEKLOCK, *arguments]
        return subprocess.run(
            command, cwd=project, env=environment(), capture_output=True, text=True, timeout=250, check=False
        )

    found = peeklock("explore", CASE, "-x")
    assert found.returncode == 1, found.stdout + found.stderr
    assert "1 sends, 0 deliveries, 0 settlements, 0 requests, 1 commits" in found.stdout
    assert "LOST       api dies after its COMMIT of INSERT orders#1" in found.stdout
    assert "again: 3 of 3 times" in found.stdout
    written = "scenarios/orders_found_happy_path_1.yaml"
    assert "crash: {service: api, at: {committed: INSERT orders}}" in (project / written).read_text()
    failed = peeklock("run", written, "--repeat", "3")
    assert (failed.returncode, "3 failed, 0 passed" in failed.stdout) == (1, True), failed.stdout
    shutil.copy(project / "mended.py", project / "api.py")
    assert peeklock("run", written, "--repeat", "3").returncode == 0
    sound = peeklock("explore", CASE)
    assert sound.returncode == 0, sound.stdout + sound.stderr
    assert "2 commits" in sound.stdout


FOREVER = "while order['id'] in seen: __import__('threading').Event().wait()"


@pytest.mark.timeout(600)
def test_a_system_that_hangs_costs_its_own_disturbance_its_time_and_nothing_else(peeklock: Run, project: Path) -> None:
    """When it gets the same order a second time; the next disturbance finds a worker that works."""
    mend(project)
    worker = project / "worker.py"
    text = worker.read_text()
    text = text.replace("    for message in receiver:\n", "    seen = set()\n    for message in receiver:\n")
    line = "        order = json.loads(str(message))\n"
    worker.write_text(text.replace(line, f"{line}        {FOREVER}\n        seen.add(order['id'])\n"))
    found = peeklock("explore", CASE, "--patience", "3s", "--no-write", "--junit", "j.xml", timeout=500)
    assert found.returncode == 1, found.stdout + found.stderr
    cases = {case.get("name", ""): case for case in ET.parse(project / "j.xml").getroot().iter("testcase")}
    failed = {name for name, case in cases.items() if case.find("failure") is not None}
    again, perhaps = (
        ("once more", "of worker is lost"),
        "loses the lock",
    )  # which of its two deliveries comes first is chance
    assert failed - {name for name in cases if perhaps in name} == {
        name for name in cases if any(word in name for word in again)
    }
