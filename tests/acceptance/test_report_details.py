"""What the page of a case shows of waiting and of traces, in a real browser."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from peeklock.engine.failure import Failure
from peeklock.engine.record import Listing, Looks, StepRun
from peeklock.reports.html import bundle
from peeklock.reports.html.page import write_page
from peeklock.reports.html.record import RunRecord
from peeklock.scenario.matchers import Mismatch
from peeklock.stack.backend import DatabaseTransaction, Transactions
from peeklock.telemetry import Span
from tests.acceptance.browser import page_at, serious_faults
from tests.unit.reports.html.test_page import EVIL, FINISHED, STARTED, case

SEEN = (Looks(0.0, 0.9, 12, "status: 202"), Looks(1.0, 1.9, 3, f"status: {EVIL}"), Looks(2.0, 2.0, 1, "status: 500"))


@pytest.fixture(scope="module")
def waited(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a case that waited in vain, and whose services traced what they did."""
    viewer = bundle.found()
    assert viewer is not None, "`peeklock setup` has not been run"
    lines = ("- http: {get: /jobs/1}", "  eventually: 2s", "  expect: {status: 200}")
    step = StepRun(100.0, "a.yaml", 4, 6, 0, "ask", "http", 2.0, 2.0, 16, False, SEEN)
    spans = (
        Span("api", "GET /jobs", "server", "t", "a", "", 100.1, 100.9, "error", "broken", {"http.route": "/jobs/{id}"}),
        Span("api", "SELECT", "client", "t", "b", "a", 100.2, 100.4, attributes={"db.name": "jobs"}),
    )
    made = ("INSERT result", "UPDATE job")
    statements = (("SELECT job", 2), *((each, 1) for each in made))
    transactions = Transactions(
        [
            DatabaseTransaction("worker", 100.2, 100.6, "committed", True, "", made, statements),
            DatabaseTransaction("worker", 101.0, 101.2, "connection lost", True, "", made[:1], statements),
        ],
        [f"transactions of {EVIL} are not seen on a connection: it speaks TLS"],
    )
    listing = Listing("case", "a.yaml", 4, lines, (4,))
    gaps = ("7,000 lines (9,000 bytes) from the middle of worker.log: a log keeps its first 8 MiB and the last",)
    record = {"steps": (step,), "listings": (listing,), "spans": spans, "transactions": transactions, "log_gaps": gaps}
    failure = Failure("", "ask", "a.yaml:6:12", ("", "^^^"), (Mismatch("status", "200", "500", ()),))
    folder = tmp_path_factory.mktemp("waited")
    keep = RunRecord(folder)
    for event in (STARTED, replace(case(**record), outcome="failed", failure=failure), FINISHED):
        keep(event)
    return write_page(folder, viewer)


@pytest.mark.parametrize("size", [(1440, 900), (390, 844)])
def test_times_on_the_ruler_do_not_cover_each_other(waited: Path, opened: Browser, size: tuple[int, int]) -> None:
    """And a case tells what is not kept of a log."""
    with page_at(opened, waited, "#/case/0", size) as page:
        if size[0] < 1000:
            page.get_by_role("button", name="lanes").click()
        page.locator(".tick text").first.wait_for()
        edges = page.locator(".tick text").evaluate_all(
            "all => all.map((each) => each.getBoundingClientRect()).map((box) => [box.left, box.right])"
        )
        assert len(edges) >= 3
        assert all(before[1] <= after[0] for before, after in pairwise(sorted(edges))), edges
        if size[0] < 1000:
            page.get_by_role("button", name="details").click()
        expect(page.locator(".pane.details")).to_contain_text("7,000 lines (9,000 bytes) from the middle of worker.log")


def test_the_tries_of_a_step_are_told_as_what_each_of_them_saw(waited: Path, opened: Browser) -> None:
    """Below the mismatch, and for every step in its details."""
    with page_at(opened, waited, "#/case/0") as page:
        tries = (
            page.locator(".mismatch").get_by_role("list", name="What was missing at each try").get_by_role("listitem")
        )
        expect(tries).to_have_text(["0 ms status: 202 ×12", f"1 s status: {EVIL[:51]}… ×3", "2 s status: 500"])
        page.locator("button.line").click()
        expect(page.locator(".details .looks rect")).to_have_count(3)
        assert serious_faults(page) == []


def test_spans_are_bars_with_attributes_that_lead_to_each_other(waited: Path, opened: Browser) -> None:
    with page_at(opened, waited, "#/case/0") as page:
        page.get_by_role("button", name="GET /jobs, 100 ms, 800 ms").click()
        details = page.locator(".pane.details")
        expect(details).to_contain_text("/jobs/{id}")
        expect(details).to_contain_text("broken")
        details.get_by_role("button", name="api: SELECT").click()
        expect(details).to_contain_text("db.name")
        details.get_by_role("button", name="api: GET /jobs").click()
        expect(details).to_contain_text("/jobs/{id}")
        assert serious_faults(page) == []


def test_transactions_are_bars_on_the_lane_of_the_database(waited: Path, opened: Browser) -> None:
    """What they changed and how they ended is told; of what they consisted, without a value; and what is not seen."""
    with page_at(opened, waited, "#/case/0") as page:
        expect(page.locator(".lane-name.store")).to_have_text("▤ postgres")
        page.get_by_role("button", name="worker: INSERT result + UPDATE job committed, 200 ms, 400 ms").click()
        details = page.locator(".pane.details")
        expect(details).to_contain_text("INSERT result + UPDATE job")
        expect(details.locator(".statements li")).to_have_text(["SELECT job × 2", "INSERT result", "UPDATE job"])
        page.get_by_role("button", name="worker: INSERT result connection lost, 1 s, 200 ms").click()
        expect(details).to_contain_text("connection lost")
        assert serious_faults(page) == []


def test_a_load_is_a_course_and_a_row_for_each_act(tmp_path: Path, opened: Browser) -> None:
    """Among the details of its step, with why requests failed."""
    viewer = bundle.found()
    assert viewer is not None, "`peeklock setup` has not been run"
    measured = {"requests": 9, "failures": 2, "rate": 4.5, "p50": 0.012, "p95": 0.18, "p99": 0.19, "max": 1.5}
    sample = {"users": 3, "requests": 4, "failures": 0, "rate": 4.0, "p95": 0.1, "waiting": 7}
    shown = {
        **measured, "iterations": 9, "seconds": 2.0, "acts": {"ask": measured},
        "errors": [{"act": "ask", "error": f"status 503 {EVIL}", "count": 2}],
        "samples": [{"at": 0.0, **sample}, {"at": 1.0, **sample}, {"at": 2.0, **sample, "waiting": 0}],
    }  # fmt: skip
    step = StepRun(100.0, "a.yaml", 4, 4, 0, "many", "load", 2.0, 0.0, 1, True, (), shown)
    listing = Listing("case", "a.yaml", 4, ("- load: {users: 3}",), (4,))
    folder = tmp_path / "run"
    folder.mkdir()
    keep = RunRecord(folder)
    for event in (STARTED, case(steps=(step,), listings=(listing,)), FINISHED):
        keep(event)
    with page_at(opened, write_page(folder, viewer), "#/case/0") as page:
        page.locator("button.line").click()
        details = page.locator(".pane.details")
        expect(details.get_by_role("row", name="ask 9 2 4.5 12 ms 180 ms 190 ms 1500 ms")).to_be_visible()
        expect(details.get_by_role("row", name=f"ask status 503 {EVIL} 2")).to_be_visible()
        expect(details.get_by_role("group", name="Messages in queues and requests a second")).to_be_visible()
        assert serious_faults(page) == []
