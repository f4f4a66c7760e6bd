"""The page of a run in a real browser: what is clicked, and what must then be seen."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from peeklock.reports.html import bundle
from peeklock.reports.html.page import write_page
from peeklock.reports.html.record import RunRecord
from peeklock.stack.backend import LogLine
from peeklock.stack.embedded.tools import node
from tests.acceptance.browser import VIEWER, modules, page_at, serious_faults, shows
from tests.acceptance.conftest import HERE, PEEKLOCK, Run, environment
from tests.bench.reports import SHOWN, large_page
from tests.unit.reports.html.test_page import (
    EVIL,
    FINISHED,
    STARTED,
    after_passing,
    case,
    enqueued,
    evil_case,
    lives_of,
)

SCRUB = """async () => {
  const slider = document.querySelector('.scrubber input');
  const frames = [];
  let before = performance.now();
  for (let n = 0; n < 120; n++) {
    slider.value = String(1000 * Math.abs(Math.sin(n / 19)));
    slider.dispatchEvent(new Event('input', {bubbles: true}));
    await new Promise((next) => requestAnimationFrame(next));
    const now = performance.now();
    frames.push(now - before);
    before = now;
  }
  return frames.sort((a, b) => a - b)[frames.length >> 1];
}"""
"""Drags the time to and fro for 120 frames; returns the median of their milliseconds."""

FAILED, PASSED = "#/case/1", "#/case/0"
FIRST = "#/case/0"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a run in which one case fails, one passes and one is skipped."""
    project = Path(shutil.copytree(HERE / "toy", tmp_path_factory.mktemp("report") / "toy"))
    done = subprocess.run(
        [PEEKLOCK, "run", "scenarios"], cwd=project, env=environment(), capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "report: .peeklock/run-1/report.html" in done.stdout
    return project / ".peeklock" / "run-1" / "report.html"


def test_a_run_can_do_without_a_report(tmp_path: Path) -> None:
    """Failed cases have their artefacts all the same; nothing is told of a page."""
    project = Path(shutil.copytree(HERE / "toy", tmp_path / "toy"))
    command = [PEEKLOCK, "run", "scenarios/doubling.yaml::wrong_expectation", "--no-report"]
    done = subprocess.run(command, cwd=project, env=environment(), capture_output=True, text=True, timeout=100)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "report" not in done.stdout
    folder = project / ".peeklock" / "run-1"
    assert {path.name for path in folder.iterdir() if path.is_file()} == {"events.ndjson"}
    assert list(folder.rglob("failure.txt"))


def test_the_list_has_what_failed_first_and_is_filtered(report: Path, opened: Browser) -> None:
    """By outcome, text, tag and criterion; the address keeps the choice."""
    with page_at(opened, report) as page:
        rows = page.locator(".rows li")
        expect(rows).to_have_count(3)
        shows(page, "wrong_expectation", "doubled: expected 5, actual 4", inside=".rows li:first-child")
        page.get_by_role("button", name="1 passed").click()
        expect(rows).to_have_count(1)
        shows(page, "good", inside=".rows li")
        page.reload()
        expect(rows).to_have_count(1)
        page.keyboard.press("Escape")
        expect(rows).to_have_count(3)
        page.get_by_label("Text in name or failure").fill("docker")
        shows(page, "in_containers", inside=".rows li")
        expect(rows).to_have_count(1)
        page.keyboard.press("Escape")
        page.get_by_label("Criterion").select_option("TOY-1")
        expect(rows).to_have_count(1)
        page.get_by_label("Criterion").select_option("")
        page.get_by_label("Tag").select_option("quick")
        expect(rows).to_have_count(1)


def test_keys_lead_through_the_list_into_a_case_and_back(report: Path, opened: Browser) -> None:
    with page_at(opened, report) as page:
        expect(page.locator(".rows li.current")).to_contain_text("wrong_expectation")
        page.keyboard.press("j")
        page.keyboard.press("k")
        page.keyboard.press("Enter")
        shows(page, "two and two are five", inside=".panes")  # the list tells it as well
        page.keyboard.press("j")
        expect(page.locator(".event.selected")).to_have_count(1)
        page.keyboard.press("/")
        page.keyboard.type("enqueued")
        page.keyboard.press("Escape")
        for row in page.locator(".events .event").all():
            expect(row).to_contain_text("enqueued")
        page.keyboard.press("Escape")
        page.keyboard.press("Escape")
        expect(page.locator(".rows li")).to_have_count(3)


def test_the_first_screen_of_a_failed_case_tells_the_cause(report: Path, opened: Browser) -> None:
    """The mismatch, the words of the file that it is about, expected and actual at their place in what was there."""
    with page_at(opened, report, FAILED) as page:
        shows(page, "doubled: expected 5, actual 4", inside=".cause")
        expect(page.locator(".line mark")).to_have_text("doubled: 5")
        expect(page.locator(".line mark")).to_be_in_viewport()
        expect(page.locator(".diff .differs")).to_contain_text("doubled")
        expect(page.locator(".diff .expected")).to_have_text("5")
        expect(page.locator(".diff .actual")).to_have_text("4")
        expect(page.locator(".line.bad")).to_contain_text("two and two are five")
        expect(page.locator(".line.ok").first).to_contain_text("post: /jobs")


def test_a_message_is_seen_in_full(report: Path, opened: Browser) -> None:
    """From its life-line on the lanes to its body, its deliveries and who had it."""
    with page_at(opened, report, FAILED) as page:
        for lane in ("test", "api", "worker", "jobs", "results"):
            shows(page, lane, inside=".names")
        page.get_by_role("button", name=re.compile(r"^jobs seq \d+ enqueued")).click(force=True)
        shows(page, "Message seq", '"number": 2', "by api", "1 delivery", "worker", "completed", inside=".pane.details")
        page.keyboard.press("Escape")
        shows(page, "Overview", inside=".pane.details")


def test_the_time_is_dragged_and_things_stand_as_they_stood_then(report: Path, opened: Browser) -> None:
    """By the slider's keys, by the ruler of the lanes, and by choosing an event."""
    with page_at(opened, report, FAILED) as page:
        jobs, results = (page.locator(".pill", has_text=name) for name in ("jobs", "results"))
        time = page.get_by_role("slider", name="Time")
        expect(results).to_contain_text("1 active")
        time.focus()
        page.keyboard.press("Home")
        expect(results).to_contain_text("0 active")
        seen = []
        for _ in range(6):
            page.keyboard.press("ArrowRight")
            seen.append(jobs.inner_text())
        assert any("1 active" in text or "1 locked by worker" in text for text in seen), seen
        assert "0 active" in seen[-1]
        page.locator(".events .event", has_text="delivered seq").first.click()
        expect(jobs).to_contain_text("1 locked by worker")
        ruler = page.locator(".playhead .ruler").bounding_box()
        assert ruler is not None
        page.mouse.move(ruler["x"] + ruler["width"] - 30, ruler["y"] + 5)
        page.mouse.down()
        page.mouse.move(ruler["x"] + 6, ruler["y"] + 5)
        expect(results).to_contain_text("0 active")
        page.mouse.up()
        page.get_by_role("button", name="Play").click()
        expect(results).to_contain_text("1 active")


def test_scrubbing_a_long_case_of_a_large_run_stays_smooth(tmp_path: Path, opened: Browser) -> None:
    """1,000 cases with 100,000 ledger entries are at most 15 MB, and dragging through the longest skips no frame that dragging
    through a short one does not: at 60 frames a second there, at least 30 here."""
    viewer = bundle.found()
    assert viewer is not None, "`peeklock setup` has not been run"
    path = large_page(tmp_path, viewer)
    assert path.stat().st_size < 15_000_000
    frames = {}
    for place in ("#/case/1", "#/case/0"):
        with page_at(opened, path, place) as page:
            page.get_by_role("slider", name="Time").wait_for(timeout=30_000)
            frames[place] = page.evaluate(SCRUB)
    print(f"median frames in ms: {frames}")
    assert frames["#/case/0"] <= 2.1 * frames["#/case/1"]


def test_a_large_run_opens_as_fast_as_its_size_allows(tmp_path: Path, opened: Browser) -> None:
    """1,000 cases with 100,000 ledger entries take the browser no longer to show than five pages of a single case: what is not
    looked at is not unpacked."""
    viewer = bundle.found()
    assert viewer is not None, "`peeklock setup` has not been run"
    (tmp_path / "small").mkdir()
    keep = RunRecord(tmp_path / "small")
    for event in (STARTED, case(entries=lives_of(20)), FINISHED):
        keep(event)
    shown = {}
    for path in (write_page(tmp_path / "small", viewer), large_page(tmp_path / "large", viewer)):
        with page_at(opened, path) as page:
            page.locator(".rows li").first.wait_for()
            shown[path.parent.name] = page.evaluate(SHOWN)
    print(f"shown after ms: {shown}")
    assert shown["large"] <= 5 * shown["small"]


def test_a_case_with_a_million_entries_and_a_body_of_50_mb_is_cut_and_says_so(tmp_path: Path, opened: Browser) -> None:
    """It opens, its messages can be chosen, and the details name what was left out."""
    viewer = bundle.found()
    assert viewer is not None, "`peeklock setup` has not been run"
    keep = RunRecord(tmp_path)
    for event in (STARTED, case(entries=(enqueued("x" * 50_000_000), *lives_of(5_000) * 50)), FINISHED):
        keep(event)
    path = write_page(tmp_path, viewer)
    assert path.stat().st_size < 5_000_000
    with page_at(opened, path, FIRST) as page:
        shows(page, "980,001 of 1,000,001 ledger entries, from the middle of the case", inside=".pane.details")
        page.locator(".events .event", has_text="enqueued").first.click()
        shows(page, "(cut; 50,000,000 bytes)", inside=".pane.details")
        expect(page.locator(".events .event")).to_have_count(300)
        assert serious_faults(page) == []


def test_a_request_is_seen_with_head_and_body_but_without_its_token(report: Path, opened: Browser) -> None:
    with page_at(opened, report, PASSED) as page:
        page.get_by_role("button", name="POST /jobs → 202").first.click(force=True)
        shows(page, "Request · api", '"number": 21', "authorization", "***", "202", inside=".pane.details")
        assert "Bearer" not in page.locator(".pane.details").inner_text().replace("Bearer ***", "")


def test_a_log_line_is_seen_as_its_record(report: Path, opened: Browser) -> None:
    with page_at(opened, report, PASSED) as page:
        page.locator(".events .event", has=page.locator(".actor", has_text="worker")).first.click()
        shows(page, "Log line · worker", inside=".pane.details")


def test_what_is_copied_says_so(report: Path, opened: Browser) -> None:
    with page_at(opened, report, FAILED) as page:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.get_by_role("button", name="Copy command").click()
        expect(page.get_by_role("button", name="Copied")).to_be_visible()
        copied = page.evaluate("navigator.clipboard.readText()")
        assert copied == "peeklock run 'scenarios/doubling.yaml::wrong_expectation' --keep"
        page.get_by_role("button", name="Copy for an issue").click()
        expect(page.get_by_role("button", name="Copied")).to_have_count(2)
        copied = page.evaluate("navigator.clipboard.readText()")
        assert "expected 5\n  actual   4" in copied
        assert "scenarios/doubling.yaml:30:42" in copied
        page.get_by_role("button", name="Copy for an assistant").click()
        expect(page.get_by_role("button", name="Copied")).to_have_count(3)
        copied = page.evaluate("navigator.clipboard.readText()")
        for part in ("expected 5\n  actual   4", "FAILED   27", "enqueued seq"):
            assert part in copied, copied


def test_the_lanes_are_kept_as_a_trace(report: Path, opened: Browser) -> None:
    """In the format of Chrome's tracing: spans on named threads."""
    with page_at(opened, report, FAILED) as page, page.expect_download() as kept:
        page.get_by_role("button", name="Export trace").click()
    assert kept.value.suggested_filename == "scenarios-doubling.yaml-wrong_expectation.trace.json"


def test_a_line_of_a_file_leads_into_the_editor(report: Path, opened: Browser) -> None:
    project = report.parents[2]
    with page_at(opened, report, FAILED) as page:
        link = page.locator(".steps .where a").first
        expect(link).to_have_attribute("href", f"vscode://file{project}/scenarios/doubling.yaml:23")


def test_the_list_tells_how_cases_ended_before_and_which_are_flaky(tmp_path: Path, opened: Browser) -> None:
    viewer = bundle.found()
    assert viewer is not None, "`peeklock setup` has not been run"
    for number, outcome in enumerate(("passed", "failed", "passed"), 1):
        folder = tmp_path / f"run-{number}"
        folder.mkdir()
        keep = RunRecord(folder)
        steady = replace(case(), case="a.yaml::steady")
        for event in (STARTED, replace(case(), outcome=outcome), steady, FINISHED):  # type: ignore[arg-type]
            keep(event)
    with page_at(opened, write_page(folder, viewer)) as page:
        expect(page.locator(".rows li")).to_have_count(2)
        strip = page.locator(".rows li", has_text="one").get_by_role("img", name="Before:")
        expect(strip).to_have_attribute("aria-label", re.compile("run-1 passed .*run-2 failed"))
        page.get_by_role("button", name="1 flaky").click()
        expect(page.locator(".rows li")).to_have_count(1)
        shows(page, "one", "flaky", inside=".rows li")
        assert serious_faults(page) == []


def test_a_narrow_page_has_a_pane_at_a_time(report: Path, opened: Browser) -> None:
    with page_at(opened, report, FAILED, (390, 844)) as page:
        expect(page.locator(".line mark")).to_be_in_viewport()
        page.get_by_role("button", name="lanes").click()
        expect(page.locator(".line mark")).to_be_hidden()
        page.get_by_role("button", name=re.compile(r"^jobs seq \d+ enqueued")).click(force=True)
        shows(page, "Message seq", inside=".pane.details")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("place", ["", FAILED, PASSED])
def test_nobody_is_kept_out(report: Path, opened: Browser, scheme: str, place: str) -> None:
    """axe-core finds nothing serious, in either scheme."""
    with page_at(opened, report, place) as page:
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.locator(".rows, .panes").first.wait_for()
        if place:
            page.locator(".events .event").last.click()
        assert serious_faults(page) == []


def test_a_hostile_run_is_shown_as_text(tmp_path: Path, opened: Browser) -> None:
    """Markup in every text of it runs nothing, asks for nothing and adds no element."""
    viewer = bundle.found()
    assert viewer is not None, "`peeklock setup` has not been run"
    now = evil_case()
    assert now.record is not None
    lines = (*now.record.lines, LogLine("api", 0, 100.2, f"before {EVIL}", None))
    folder = after_passing(tmp_path, replace(now, record=replace(now.record, lines=lines)), now)
    path = write_page(folder, viewer)
    with page_at(opened, path) as page:
        expect(page.locator(".rows li")).to_contain_text(EVIL)
        assert page.locator("img").count() == 0
    with page_at(opened, path, "#/case/0") as page:
        for row in page.locator(".events .event").all():
            row.click()
            expect(page.locator(".pane.details")).to_contain_text("alert(1)")
        page.get_by_role("button", name="Compare with run-1 (passed)").click()
        shows(page, EVIL, inside=".compared .first .then")
        assert page.locator("img").count() == 0


def test_a_page_is_made_again(peeklock: Run, project: Path, report: Path) -> None:
    """Of the last run, of one by its number or folder; one that is not there is named."""
    shutil.copytree(report.parent, project / ".peeklock" / "run-7")
    (project / ".peeklock" / "run-7" / "report.html").unlink()
    for named in ([], ["7"], ["run-7"], [".peeklock/run-7"]):
        done = peeklock("report", *named)
        assert (done.returncode, Path(done.stdout.strip()).name) == (0, "report.html"), done.stderr
    assert (project / ".peeklock" / "run-7" / "report.html").exists()
    missing = peeklock("report", "12")
    assert missing.returncode == 3
    assert "there is no record of the run 12" in missing.stderr
    assert "run-7" in missing.stderr


def test_without_the_viewer_a_run_says_how_to_have_its_page(peeklock: Run, project: Path, tmp_path: Path) -> None:
    """It is no failure of the run, and no network is asked."""
    cache = tmp_path / "cache"
    cache.mkdir()
    known = subprocess.run([PEEKLOCK, "setup", "--cache-folder"], capture_output=True, text=True, check=True)
    for part in Path(known.stdout.strip()).iterdir():
        if not part.name.startswith("viewer"):
            (cache / part.name).symlink_to(part)
    done = peeklock("run", "scenarios/doubling.yaml::wrong_expectation", PEEKLOCK_CACHE=str(cache))
    assert done.returncode == 1, done.stderr
    assert "`peeklock setup` brings it, then `peeklock report`" in done.stdout
    assert (project / ".peeklock" / "run-1" / "cases.ndjson").exists()


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The viewer with the packages that its own tests need."""
    folder = tmp_path_factory.mktemp("viewer") / "viewer"
    shutil.copytree(VIEWER, folder, ignore=shutil.ignore_patterns("node_modules", "built"))
    (folder / "node_modules").symlink_to(modules())
    return folder


def test_the_viewer_has_its_types_right(sources: Path) -> None:
    done = subprocess.run(
        [node().node, "node_modules/typescript/bin/tsc", "--noEmit"], cwd=sources, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_viewer_passes_its_own_tests(sources: Path) -> None:
    done = subprocess.run(
        [node().node, "--test", "--test-reporter=tap", "test/*.test.ts"], cwd=sources, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(re.findall(r"^# pass (\d+)", done.stdout, re.MULTILINE)[0]) > 20
