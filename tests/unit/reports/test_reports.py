"""What people and pipelines read."""

from __future__ import annotations

import base64
import json
import xml.etree.ElementTree as ET
from dataclasses import replace
from io import StringIO
from pathlib import Path

from rich.console import Console

from peeklock.engine.events import CaseFinished, Durations, Progress, RunFinished, RunStarted, StackReady
from peeklock.engine.failure import Failure, Moment
from peeklock.engine.record import Record
from peeklock.reports.artefacts import write_artefacts
from peeklock.reports.console import ConsoleReport
from peeklock.reports.ctrf import CtrfReport
from peeklock.reports.failure_text import render_failure
from peeklock.reports.junit import JUnitReport
from peeklock.reports.ndjson import NdjsonReport
from peeklock.reports.summary import SummaryReport
from peeklock.scenario.matchers import Mismatch
from peeklock.servicebus.ledger import AboutMessage, Entry, EventKind, Told
from peeklock.stack.backend import LogLine

FAILURE = Failure(
    headline="",
    step="the result tells why",
    where="scenarios/intellioptics/pipeline.yaml:61:60",
    excerpt=(
        "   61 |   expect: {count: 1, each: {body: {answer: UNCLEAR, reason: download_failed}}}",
        "      |                                                     ^^^^^^^^^^^^^^^^^^^^^^^",
    ),
    mismatches=(Mismatch("body.reason", '"download_failed"', '"internal_error"', ()),),
    notes=("stopped early after 9 tries in 0.3 s: the case has settled, no further message can come",),
    timeline=(
        Moment(100.012, "api", "POST /v1/image-queries → 202"),
        Moment(100.012, "image-queries", "enqueued seq 4"),
        Moment(100.031, "image-queries", "delivered 1"),
        Moment(100.038, "worker", "ERROR KeyError 'reason'", alarming=True),
        Moment(100.041, "inference-results", "enqueued seq 4"),
    ),
    started_at=100.0,
    likely_cause="worker raised KeyError at worker/result.py:44",
    also=("no_error_logs: worker logged KeyError",),
)
FAILED = CaseFinished(
    101.0,
    "scenarios/intellioptics/pipeline.yaml::sas_expired",
    "failed",
    Durations(0.1, 0.3, 0.5),
    failure=FAILURE,
    covers=("IO-8",),
)
PASSED = CaseFinished(101.0, "a.yaml::good", "passed", Durations(0.1, 0.2, 0.3), covers=("IO-1",))
SKIPPED = CaseFinished(
    101.0, "a.yaml::later", "skipped", Durations(), reason="the embedded backend has not the ability: clock"
)
ERROR = CaseFinished(
    101.0, "b.yaml::one", "error", Durations(), reason="postgres did not start\n  how to fix: free the disk"
)
FINISHED = RunFinished(
    105.0,
    "run-1",
    1,
    1,
    1,
    1,
    (),
    4.2,
    Durations(0.2, 0.5, 0.8),
    0.5,
    failed_cases=("scenarios/intellioptics/pipeline.yaml::sas_expired",),
)
STARTED = RunStarted(
    99.0, "run-1", 4, 3, "embedded", "no container engine answers; embedded needs none", Path(".peeklock/run-1")
)


def golden(name: str, text: str) -> None:
    """Compare with a file beside this one; delete it to have it written anew."""
    path = Path(__file__).parent / name
    if not path.exists():
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_a_failure_as_text() -> None:
    """The output is the contract."""
    golden("failure.txt", "\n".join(render_failure(FAILED, 160)) + "\n")


def test_a_narrow_terminal_gets_a_list() -> None:
    text = "\n".join(render_failure(FAILED, 70))
    assert "      38  worker             ERROR KeyError 'reason'" in text


def test_a_long_timeline_keeps_both_ends_and_what_is_alarming() -> None:
    moments = tuple(Moment(100 + n, "worker", f"line {n}", alarming=n == 50) for n in range(100))
    text = "\n".join(
        render_failure(
            CaseFinished(
                1, "c", "failed", Durations(), failure=Failure("x", "s", "f:1:1", timeline=moments, started_at=100)
            )
        )
    )
    assert "line 0" in text
    assert "line 50" in text
    assert "line 99" in text
    assert "line 30" not in text
    assert "59 more" in text


def test_the_console_in_full() -> None:
    output = StringIO()
    report = ConsoleReport(Console(file=output, width=160, highlight=False))
    stack = StackReady(99.5, 0.5, False, {"postgres": 0.1, "blobs": 0.5})
    for event in (STARTED, Progress(99.1, "building Azurite"), stack, PASSED, FAILED, SKIPPED, ERROR, FINISHED):
        report(event)
    golden("console.txt", output.getvalue())


def test_junit(tmp_path: Path) -> None:
    report = JUnitReport(tmp_path / "deep" / "junit.xml")
    for event in (STARTED, PASSED, FAILED, SKIPPED, ERROR, FINISHED):
        report(event)
    root = ET.parse(tmp_path / "deep" / "junit.xml").getroot()
    assert {case.get("name"): [child.tag for child in case] for case in root.iter("testcase")} == {
        "good": ["properties"],
        "sas_expired": ["properties", "failure"],
        "later": ["skipped"],
        "one": ["error"],
    }
    failure = root.find(".//failure")
    assert failure is not None
    assert failure.get("message") == 'body.reason: expected "download_failed", actual "internal_error"'


def test_ndjson_is_a_line_an_event(tmp_path: Path) -> None:
    report = NdjsonReport(tmp_path / "events.ndjson")
    for event in (STARTED, PASSED, FAILED, FINISHED):
        report(event)
    lines = [json.loads(line) for line in (tmp_path / "events.ndjson").read_text(encoding="utf-8").splitlines()]
    assert [line["event"] for line in lines] == ["RunStarted", "CaseFinished", "CaseFinished", "RunFinished"]
    assert lines[2]["failure"]["mismatches"][0]["path"] == "body.reason"


def test_no_case_hides_the_artefacts_of_another(tmp_path: Path) -> None:
    """Files of one name in two folders, and names that differ in a character that no folder has."""
    record = Record((), (), (), (), 0.0, frozenset())
    cases = ["one/a.yaml::x", "two/a.yaml::x", "one/a.yaml::x[b c]", "one/a.yaml::x[b-c]"]
    places = [
        write_artefacts(
            CaseFinished(1, case, "failed", Durations(), failure=FAILURE, record=record), tmp_path
        ).artefacts
        for case in cases
    ]
    assert [place and place.name for place in places[:3]] == ["one-a-x", "two-a-x", "one-a-x-b-c"]
    assert len(set(places)) == 4
    assert all(place and (place / "failure.txt").exists() for place in places)


def test_artefacts_hold_no_secret(tmp_path: Path) -> None:
    """Not in a log line, not in a message, not inside base64."""
    url = "http://127.0.0.1/a/b.jpg?sp=r&sig=abc%2Fdef&se=1"
    body = base64.b64encode(json.dumps({"url": url, "key": "hunter2hunter2"}).encode()).decode()
    content = Told({"message_id": "m", "body_base64": body})
    entry = Entry(1, 1.0, "q", EventKind.ENQUEUED, AboutMessage(1, "m", content=content))
    line = LogLine("worker", 0, 1.0, f'{{"event": "got {url} hunter2hunter2"}}', {"event": f"got {url} hunter2hunter2"})
    record = Record((), (entry,), (line,), (), 0.0, frozenset({"hunter2hunter2"}))
    finished = write_artefacts(
        CaseFinished(1, "a.yaml::one[x y]", "failed", Durations(), failure=FAILURE, record=record), tmp_path
    )
    assert finished.artefacts is not None
    assert finished.artefacts.name == "a-one-x-y"
    texts = {path.name: path.read_text(encoding="utf-8") for path in finished.artefacts.iterdir()}
    assert set(texts) == {"failure.txt", "ledger.ndjson", "timeline.txt", "worker.log"}
    for text in texts.values():
        assert "hunter2" not in text
        assert "abc%2Fdef" not in text
        assert "body_base64" not in text


def shown(*moments: Moment, width: int = 140) -> list[str]:
    failure = Failure("x", "s", "f:1:1", timeline=moments, started_at=100)
    lines = list(render_failure(CaseFinished(1, "c", "failed", Durations(), failure=failure), width))
    return [line.strip() for line in lines[lines.index(next(line for line in lines if "timeline" in line)) + 1 : -2]]


def test_polls_are_one_row() -> None:
    """Though others talk meanwhile; a repetition that comes after something else is a row of its own."""
    polls = [Moment(100 + n, "api", "GET /orders/7 → 200") for n in range(163)]
    polls.insert(80, Moment(179.5, "worker", "begins"))
    assert shown(*polls, Moment(300, "api", "POST /x → 500"), polls[0], width=40) == [
        "0  api     GET /orders/7 → 200 ×163",
        "79500  worker  begins",
        "200000  api     POST /x → 500",
        "0  api     GET /orders/7 → 200",
    ]


def test_an_error_is_whole_in_every_width() -> None:
    """Everything else is cut to its column, and says so, with how often it came."""
    error, long = f"ERROR {'x' * 300} KeyError: 'cause'", "y" * 50
    for width in (40, 80, 200):
        text = "\n".join(
            shown(Moment(100, "api", long), Moment(100, "api", long), Moment(101, "w", error, True), width=width)
        )
        assert error in text
    assert f"{'y' * 30}… ×2" in text


def test_ctrf(tmp_path: Path) -> None:
    """The keys that the format's schema asks for, whole milliseconds, and no secret."""
    report = CtrfReport(tmp_path / "deep" / "ctrf.json")
    leaky = replace(ERROR, reason="Endpoint=sb://x;SharedAccessKey=abcdefgh")
    for event in (STARTED, PASSED, FAILED, SKIPPED, leaky, FINISHED):
        report(event)
    text = (tmp_path / "deep" / "ctrf.json").read_text(encoding="utf-8")
    assert "abcdefgh" not in text
    told = json.loads(text)
    assert (told["reportFormat"], told["specVersion"]) == ("CTRF", "1.0.0")
    summary = told["results"]["summary"]
    assert [summary[key] for key in ("tests", "passed", "failed", "skipped", "pending", "other")] == [4, 1, 1, 1, 0, 1]
    assert (summary["start"], summary["stop"]) == (99000, 105000)
    tests = {test["name"]: test for test in told["results"]["tests"]}
    assert tests["sas_expired"]["message"] == 'body.reason: expected "download_failed", actual "internal_error"'
    assert tests["sas_expired"]["line"] == 61
    assert tests["sas_expired"]["labels"] == {"covers": ["IO-8"]}
    assert tests["good"]["duration"] == 600


def test_a_summary_is_appended_as_markdown(tmp_path: Path) -> None:
    """What did not hold in a table, each failure in full below it; nothing of it can end the fence or the table."""
    file = tmp_path / "summary.md"
    file.write_text("before\n", encoding="utf-8")
    report = SummaryReport(file)
    nasty = replace(FAILURE, headline="a | b <script>\n~~~", notes=("~~~~",))
    for event in (PASSED, SKIPPED, FAILED, replace(FAILED, failure=nasty), ERROR):
        report(event)
    report(RunFinished(102.0, "run-1", 1, 2, 1, 1, ("a.yaml::good",), 2.5, Durations()))
    text = file.read_text("utf-8")
    assert text.startswith("before\n### Peeklock: 1 passed, 2 failed, 1 errors, 1 skipped in 2.5 s\n")
    assert "Flaky: `a.yaml::good`" in text
    assert '| `scenarios/intellioptics/pipeline.yaml::sas_expired` | body.reason: expected "download_failed"' in text
    assert "a \\| b &lt;script&gt; ~~~ |" in text
    assert "~~~~~text" in text
    assert text.count("<details>") == text.count("</details>") == 3
