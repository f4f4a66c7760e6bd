"""What belongs to one trace is shown together, whoever tells of it."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from peeklock.engine.events import CaseFinished, Event, StepFinished
from peeklock.standins import Entry, Journal
from peeklock.telemetry import Batch, LogRecord, Span
from peeklock.trace_context import trace_view
from tests.unit.engine.fake import HEADER, FakeEnvironment, run_one, scenario_of

TRACED = HEADER.replace(
    "stack:\n", "stack:\n  telemetry: true\n  http: {shop: {routes: [{get: /, respond: {status: 200}}]}}\n"
)
TRACE = "a" * 32


def run(folder: Path, steps: str, batch: Batch) -> CaseFinished:
    """Run a case in which a service asks a stand-in and logs a line within a trace."""
    world = FakeEnvironment("worker")
    journal = Journal()
    shop: Any = SimpleNamespace(journal=journal)
    world.standins = {"shop": shop}
    headers = {"traceparent": f"00-{TRACE}-{'b' * 16}-01"}
    journal.add(0, Entry(time.time(), {"path": "/", **trace_view(headers)}, "GET / 200"))
    world.telemetry.add(batch, 1)
    steps = "      - set: {a: 1}\n" + steps
    cases = f"cases:\n  one:\n    steps:\n{steps}"
    scenario = scenario_of(folder, cases, TRACED)
    world.on_reset = lambda: world.log("worker", event="settled", otelTraceID=TRACE)

    def emit(event: Event) -> None:
        if isinstance(event, StepFinished) and not world.services.lines:
            world.log("worker", event="settled", otelTraceID=TRACE)

    return run_one(scenario, world, emit)


def span(**changed: Any) -> Span:
    at = time.time() + 0.5
    return Span("worker", "settle", "consumer", TRACE, "b" * 16, "", at, at, **changed)


def test_a_span_shows_the_requests_and_lines_of_its_trace(tmp_path: Path) -> None:
    steps = "      - spans: {name: settle}\n        expect: {items: [{requests: ['shop: GET / 200'], logs: [{$contains: settled}]}]}\n"
    finished = run(tmp_path, steps, Batch(spans=[span()]))
    assert finished.outcome == "passed", finished.failure


def test_a_request_is_found_by_its_trace(tmp_path: Path) -> None:
    steps = f"      - requests: {{to: shop, where: {{trace_id: {TRACE}}}}}\n        expect: {{count: 1}}\n"
    finished = run(tmp_path, steps, Batch())
    assert finished.outcome == "passed", finished.failure


def test_exported_records_are_asserted_apart_from_lines(tmp_path: Path) -> None:
    record = LogRecord("worker", time.time(), "error", "lost", TRACE, "", {"exception.type": "KeyError"})
    steps = f"""\
      - logs: {{exported: true, service: worker, where: {{level: error}}}}
        expect: {{items: [{{text: lost, trace_id: {TRACE}, attributes: {{exception.type: KeyError}}}}]}}
"""
    finished = run(tmp_path, steps, Batch(logs=[record]))
    assert finished.outcome == "passed", finished.failure


def test_the_timeline_of_a_failure_shows_the_spans_that_failed(tmp_path: Path) -> None:
    steps = "      - spans: {name: other}\n        expect: {count: 1}\n"
    finished = run(tmp_path, steps, Batch(spans=[span(status="error", status_message="no such order")]))
    assert finished.failure is not None
    assert any("span settle: no such order" in moment.text for moment in finished.failure.timeline)


def test_the_ledger_alone_gives_the_way_of_a_trace(tmp_path: Path) -> None:
    """Of services that tell nothing: by what their messages and requests carry."""
    world = FakeEnvironment("worker")
    journal = Journal()
    shop: Any = SimpleNamespace(journal=journal)
    world.standins = {"shop": shop}
    carried = {"traceparent": f"00-{TRACE}-{'b' * 16}-01"}

    def emit(event: Event) -> None:
        if isinstance(event, StepFinished) and not world.entries:
            world.happen("enqueued", message_id="17", sender="service-worker", application_properties=carried)
            world.happen("delivered", consumer="service-worker@c/l")
            world.happen("completed")
            view = {"path": "/", "method": "GET", "status": 200, "caller": "worker", **trace_view(carried)}
            journal.add(0, Entry(time.time() + 1, view, "GET / 200"))

    steps = f"""\
      - set: {{a: 1}}
      - path:
          id: {TRACE}
          through: [{{queue: jobs, to: worker}}, {{call: shop, from: worker}}]
"""
    scenario = scenario_of(tmp_path, f"cases:\n  one:\n    steps:\n{steps}", TRACED)
    finished = run_one(scenario, world, emit)
    assert finished.outcome == "passed", finished.failure
