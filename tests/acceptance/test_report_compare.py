"""A case that failed beside the last run in which it passed, in a real browser."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from peeklock.reports.html import bundle
from peeklock.reports.html.case_data import packed
from peeklock.reports.html.page import write_page
from peeklock.stack.backend import LogLine
from tests.acceptance.browser import page_at, serious_faults, shows
from tests.acceptance.conftest import HERE, PEEKLOCK, environment
from tests.unit.reports.html.test_page import after_passing, case

FIRST = "#/case/0"


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a run in which a case fails that passed in the one before: the worker has lost its answer since."""
    project = Path(shutil.copytree(HERE / "toy", tmp_path_factory.mktemp("broken") / "toy"))
    worker, scenario = project / "worker.py", project / "scenarios" / "doubling.yaml"
    for code in (0, 1):
        done = subprocess.run(
            [PEEKLOCK, "run", "scenarios/doubling.yaml::good"],
            cwd=project, env=environment(), capture_output=True, text=True, timeout=100,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        worker.write_text(worker.read_text().replace("sender.send_messages(", "print("))
        scenario.write_text(scenario.read_text().replace("eventually: 20s", "eventually: 2s"))
    return project / ".peeklock" / "run-2" / "report.html"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_failed_case_is_compared_with_the_run_in_which_it_passed(broken: Path, opened: Browser, scheme: str) -> None:
    """The first divergence is the message that did not come, though every number and time is another one."""
    with page_at(opened, broken, FIRST) as page:
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.get_by_role("button", name="Compare with run-1 (passed)").click()
        first = page.locator(".compared .first")
        expect(first).to_be_in_viewport()
        shows(page, "First divergence", "results", "enqueued seq 1", inside=".compared .first")
        expect(first.get_by_label("only then")).to_have_count(1)
        expect(first.locator(".then")).to_contain_text("enqueued seq 1")
        expect(page.locator(".parted .now").last).to_contain_text("failed")
        page.locator(".compared .now", has_text="completed seq").click()
        shows(page, "Message seq", inside=".pane.details")
        assert serious_faults(page) == []
        page.get_by_role("button", name="Compare with run-1 (passed)").click()
        expect(page.locator(".pane.lanes")).to_be_visible()


def test_on_a_narrow_page_both_runs_are_below_each_other(broken: Path, opened: Browser) -> None:
    with page_at(opened, broken, FIRST, (390, 844)) as page:
        page.get_by_role("button", name="Compare with run-1 (passed)").click()
        expect(page.locator(".first .then")).to_be_in_viewport()
        step = page.locator(".parted").last
        above, below = (step.locator(side).last.bounding_box() for side in (".then", ".now"))
        assert above is not None
        assert below is not None
        assert above["x"] == below["x"]
        assert above["y"] < below["y"]
        expect(page.locator(".compared > .both .then").first).to_be_hidden()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_what_both_runs_have_is_unfolded(tmp_path: Path, opened: Browser) -> None:
    viewer = bundle.found()
    assert viewer is not None, "`peeklock setup` has not been run"
    lines = tuple(LogLine("api", 0, 100 + number / 100, f"line {chr(97 + number)}", None) for number in range(20))
    folder = after_passing(tmp_path, case(lines=lines), case(lines=lines[:-1]))
    with page_at(opened, write_page(folder, viewer), FIRST) as page:
        page.get_by_role("button", name="Compare with run-1 (passed)").click()
        shows(page, "line t", inside=".compared .first .then")
        expect(page.locator(".compared .now")).to_have_count(3)
        page.get_by_role("button", name="16 equal events").click()
        expect(page.locator(".compared .now")).to_have_count(19)


def test_a_passing_story_of_another_shape_is_said_to_be_unreadable(tmp_path: Path, opened: Browser) -> None:
    """As one of another version may be; the rest of the page stays as it is."""
    viewer = bundle.found()
    assert viewer is not None, "`peeklock setup` has not been run"
    folder = after_passing(tmp_path, case(), case())
    record = tmp_path / "run-1" / "cases.ndjson"
    lines = [json.loads(line) for line in record.read_text().splitlines()]
    record.write_text("\n".join(json.dumps(line | {"story": packed({"steps": 7})}) for line in lines))
    with page_at(opened, write_page(folder, viewer), FIRST) as page:
        page.get_by_role("button", name="Compare with run-1 (passed)").click()
        shows(page, "What run-1 kept of this case cannot be read", inside=".compare")
        expect(page.locator(".pane.steps")).to_be_visible()
