"""The page of a run: what is kept of each case, and that nothing in it can run, leak or grow without bound."""

from __future__ import annotations

import base64
import json
import re
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from peeklock.engine.events import CaseFinished, Durations, RunFinished, RunStarted
from peeklock.engine.failure import Failure, Moment
from peeklock.engine.record import Exchange, Listing, Looks, Record, StepRun
from peeklock.reports.html import record as recording
from peeklock.reports.html.bundle import Bundle
from peeklock.reports.html.case_data import LONGEST_BODY, MOST_ENTRIES, data_of
from peeklock.reports.html.page import write_page
from peeklock.reports.html.record import RunRecord, read_heads, read_stories
from peeklock.scenario.matchers import Mismatch
from peeklock.servicebus.ledger import AboutMessage, Entry, EventKind, Told
from peeklock.stack.backend import LogLine
from peeklock.telemetry import Span

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(1)>"
SECRET = "hunter2-and-more"
STARTED = RunStarted(99.0, "run-1", 1, 1, "embedded", "", Path())
FINISHED = RunFinished(105.0, "run-1", 1, 0, 0, 0, (), 4.2, Durations())


def enqueued(body: str = "{}", **facts: Any) -> Entry:
    told = {"message_id": "m", "body_base64": base64.b64encode(body.encode()).decode(), **facts}
    subject = AboutMessage(1, "m", content=Told(told, "service-api"))
    return Entry(1, 100.5, "jobs", EventKind.ENQUEUED, subject)


def lives_of(messages: int) -> tuple[Entry, ...]:
    """Four entries for each of many messages."""
    entries: list[Entry] = []
    kinds = (EventKind.ENQUEUED, EventKind.DELIVERED, EventKind.RENEWED, EventKind.COMPLETED)
    for number in range(messages):
        sequence = number + 1
        content = Told({"message_id": f"m{sequence}", "body_base64": "e30="}, "service-api")
        for offset, kind in enumerate(kinds):
            told = content if kind is EventKind.ENQUEUED else None
            subject = AboutMessage(sequence, f"m{sequence}", 1, "service-worker", told)
            at = 100.0 + number / messages + offset / 100
            entries.append(Entry(0, at, f"queue-{number % 8}", kind, subject))
    return tuple(replace(entry, number=index + 1) for index, entry in enumerate(sorted(entries, key=lambda e: e.at)))


def case(**record: Any) -> CaseFinished:
    seen = {"moments": (), "entries": (), "lines": (), "exits": (), "started_at": 100.0, "secrets": frozenset({SECRET})}
    return CaseFinished(101.0, "a.yaml::one", "passed", Durations(0.1, 0.2, 0.3), record=Record(**{**seen, **record}))


def evil_case() -> CaseFinished:
    """Markup in every text of it."""
    return replace(
        case(
            entries=(enqueued(EVIL, subject=EVIL),),
            lines=(LogLine("api", 0, 100.1, EVIL, None),),
            moments=(Moment(100.1, EVIL, EVIL),),
            exchanges=(Exchange(100.1, 0.1, "test", EVIL, EVIL, False, {"body": EVIL}),),
            listings=(Listing("case", EVIL, 1, (EVIL,), (1,)),),
        ),
        case=f"{EVIL}::{EVIL}",
        tags=(EVIL,),
        covers=(EVIL,),
    )


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    made = Bundle(tmp_path / "viewer.js", tmp_path / "viewer.css")
    made.script.write_text("show()")
    made.style.write_text("body {}")
    return made


def page_of(folder: Path, bundle: Bundle, *cases: CaseFinished, started: RunStarted = STARTED) -> str:
    keep = RunRecord(folder)
    for event in (started, *cases, FINISHED):
        keep(event)
    return write_page(folder, bundle).read_text()


def after_passing(root: Path, before: CaseFinished, now: CaseFinished) -> Path:
    """The folder of a run in which a case failed, behind one in which it passed."""
    for number, finished in enumerate((replace(before, outcome="passed"), replace(now, outcome="failed")), 1):
        folder = root / f"run-{number}"
        folder.mkdir()
        keep = RunRecord(folder)
        for event in (STARTED, finished, FINISHED):
            keep(event)
    return folder


def unpacked(page: str, block: str) -> Any:
    found = re.search(rf'<script type="text/plain" id="{block}">([^<]*)</script>', page)
    assert found is not None
    return json.loads(zlib.decompress(base64.b64decode(found[1])))


def test_a_page_has_the_run_its_cases_and_their_stories(tmp_path: Path, bundle: Bundle) -> None:
    """Also of passed cases; times are milliseconds since the case began."""
    step = StepRun(100.2, "a.yaml", 3, 4, 0, "ask", "http", 0.25, 0.0, 1, True)
    page = page_of(tmp_path, bundle, case(entries=(enqueued('{"a": 1}'),), steps=(step,)))
    run = unpacked(page, "run")
    assert [(head["file"], head["name"], head["outcome"]) for head in run["cases"]] == [("a.yaml", "one", "passed")]
    assert run["run"]["seconds"] == 4.2
    story = unpacked(page, "story-0")
    assert [(each["at"], each["event"], each["body"]) for each in story["entries"]] == [(500.0, "enqueued", '{"a": 1}')]
    assert [(each["at"], each["ms"], each["line"]) for each in story["steps"]] == [(200.0, 250.0, 3)]


def test_a_page_has_what_services_traced_and_what_steps_missed(tmp_path: Path, bundle: Bundle) -> None:
    """Without the secrets in it."""
    told = f"GET /?key={SECRET}"
    span = Span(
        "api", told, "server", "t", "s", "", 100.5, 100.75, "error", told, {"url": told}, events=({"name": "e"},)
    )
    step = StepRun(100.2, "a.yaml", 3, 4, 0, "ask", "http", 0.25, 0.0, 3, True, (Looks(0.0, 0.1, 2, told),))
    story = unpacked(page_of(tmp_path, bundle, case(spans=(span,), steps=(step,))), "story-0")
    [shown] = story["spans"]
    assert (shown["at"], shown["ms"], shown["name"], shown["status"]) == (500.0, 250.0, "GET /?key=***", "error")
    assert story["steps"][0]["looks"] == [[0.0, 100.0, 2, "GET /?key=***"]]
    assert SECRET not in json.dumps(story)


def test_a_page_has_what_a_load_came_to(tmp_path: Path, bundle: Bundle) -> None:
    """Without the secrets in it."""
    shown = {"requests": 3, "errors": [{"act": "ask", "error": f"no answer from {SECRET}", "count": 1}]}
    step = StepRun(100.2, "a.yaml", 3, 4, 0, "load", "load", 0.25, 0.0, 1, True, (), shown)
    story = unpacked(page_of(tmp_path, bundle, case(steps=(step,))), "story-0")
    told = json.loads(story["steps"][0]["shown"])
    assert told == {"requests": 3, "errors": [{"act": "ask", "error": "no answer from ***", "count": 1}]}


def test_the_policy_of_a_page_lets_its_own_script_run_and_nothing_else(tmp_path: Path, bundle: Bundle) -> None:
    page = page_of(tmp_path, bundle, case())
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None
    assert policy[1].startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy[1]


def test_hostile_text_is_data_and_no_markup(tmp_path: Path, bundle: Bundle) -> None:
    """In bodies, names, log lines, requests, steps and scenario files: none of it stands in the page as it is."""
    page = page_of(tmp_path, bundle, evil_case())
    assert "alert" not in page
    assert unpacked(page, "story-0")["lines"][0][3] == EVIL


def test_no_secret_is_in_a_page(tmp_path: Path, bundle: Bundle) -> None:
    """Neither a known one, in whatever text it stands, nor what has the shape of one."""
    told = f"key {SECRET} and https://x/y?sig=abcdef123456 and AccountKey=QUJDREVG;"
    failure = Failure("x", "s", "a.yaml:1:1", mismatches=(Mismatch("a", "1", "2", ()),))
    leaking = replace(
        case(
            entries=(enqueued(json.dumps({"url": told}), subject=told),),
            lines=(LogLine("api", 0, 100.1, json.dumps({"event": told}), None),),
            moments=(Moment(100.1, "api", told),),
            exchanges=(Exchange(100.1, 0.1, "test", "api", told, False, {"body": json.dumps({"a": told})}),),
            listings=(Listing("case", "a.yaml", 1, (told,), (1,)),),
        ),
        outcome="failed",
        failure=failure,
        reason=told,
        traceback=told,
    )
    page = page_of(tmp_path, bundle, leaking)
    everything = json.dumps([unpacked(page, "run"), unpacked(page, "story-0")])
    assert "***" in everything
    for telling in (SECRET, "abcdef123456", "QUJDREVG"):
        assert telling not in everything


def test_a_secret_across_a_cut_is_masked_before_it_is_cut() -> None:
    body = "x" * (LONGEST_BODY - 5) + SECRET + "y" * 50_000
    shown = data_of(case(entries=(enqueued(body),)))["entries"][0]["body"]
    assert SECRET[:5] not in shown


def test_a_large_body_is_cut_and_says_so() -> None:
    """50 MB of it cost no more than what is shown."""
    story = data_of(case(entries=(enqueued("x" * 50_000_000),)))
    shown = story["entries"][0]["body"]
    assert len(shown) < LONGEST_BODY + 100
    assert "50,000,00" in shown


def test_a_secret_that_is_a_number_makes_no_page_unreadable(tmp_path: Path, bundle: Bundle) -> None:
    """It is masked in texts; what is data of our own stays JSON."""
    numbered = case(entries=(enqueued('{"pin": 1005}'),), secrets=frozenset({"1005", "500.0"}))
    story = unpacked(page_of(tmp_path, bundle, numbered), "story-0")
    assert story["entries"][0]["body"] == '{"pin": ***}'


def test_of_very_many_entries_the_first_and_the_last_stay() -> None:
    entries = tuple(Entry(n, 100.0 + n, "jobs", EventKind.PURGED) for n in range(MOST_ENTRIES + 500))
    story = data_of(case(entries=entries))
    assert len(story["entries"]) == MOST_ENTRIES
    assert (story["entries"][0]["n"], story["entries"][-1]["n"]) == (0, MOST_ENTRIES + 499)
    assert story["left"] == [f"500 of {MOST_ENTRIES + 500:,} ledger entries, from the middle of the case"]


def test_past_its_bound_a_record_keeps_only_how_passed_cases_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "MOST_BYTES", 0)
    keep = RunRecord(tmp_path)
    for event in (STARTED, case(), replace(case(), outcome="failed"), FINISHED):
        keep(event)
    assert [head.get("left_out", False) for head in read_heads(tmp_path).heads] == [True, False]
    assert [bool(story) for story in read_stories(tmp_path)] == [False, True]


def test_the_record_of_a_run_that_was_killed_is_read_as_far_as_it_goes(tmp_path: Path, bundle: Bundle) -> None:
    keep = RunRecord(tmp_path)
    keep(STARTED)
    keep(case())
    with (tmp_path / recording.NAME).open("a") as file:
        file.write('{"case": {"file": "a')
    page = write_page(tmp_path, bundle).read_text()
    assert len(unpacked(page, "run")["cases"]) == 1
    assert unpacked(page, "story-0")["entries"] == []


def test_a_case_that_did_not_run_tells_why(tmp_path: Path, bundle: Bundle) -> None:
    skipped = CaseFinished(
        101.0, "a.yaml::two", "skipped", Durations(), reason="the backend has not the ability: clock"
    )
    page = page_of(tmp_path, bundle, skipped)
    assert unpacked(page, "run")["cases"][0]["why"] == skipped.reason
    assert unpacked(page, "story-0")["reason"] == skipped.reason
