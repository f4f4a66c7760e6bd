"""A trace is followed from a request through messages to whoever works on them; where it breaks is told."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from peeklock.telemetry import Batch, Link, Span
from tests.unit.engine.fake import HEADER, FakeEnvironment, run_one, scenario_of

ORDER, RECEIVE, OWN = "a" * 32, "b" * 32, "c" * 32
TRACED = HEADER.replace("servicebus:\n", "servicebus:\n", 1).replace("stack:\n", "stack:\n  telemetry: true\n")


def span(
    service: str,
    trace: str,
    kind: str = "internal",
    links: tuple[Link, ...] = (),
    status: str = "unset",
    operation: str = "",
) -> Span:
    at = time.time()
    return Span(
        service,
        "work",
        kind,
        trace,
        "d" * 16,
        "",
        at,
        at,
        status,
        "it broke",
        {"messaging.operation": operation},
        links,
    )  # type: ignore[arg-type]


def message(world: FakeEnvironment, queue: str, trace: str | None, sender: str, receiver: str | None = None) -> None:
    properties = None if trace is None else {"Diagnostic-Id": f"00-{trace}-{'d' * 16}-01"}
    number = len(world.entries) + 1
    world.happen(
        "enqueued", queue, number, message_id="17", sender=f"service-{sender}", application_properties=properties
    )
    if receiver is not None:
        world.happen("delivered", queue, number, consumer=f"service-{receiver}@c/l")
        world.happen("completed", queue, number)


TO_ORDER = (Link(ORDER, "d" * 16),)
LINKED = span("worker", RECEIVE, links=TO_ORDER)
SETTLED = span("worker", OWN, links=TO_ORDER, operation="settle")
UNBROKEN = {
    "in_the_trace": (ORDER, [span("api", ORDER, "server"), span("worker", ORDER)], ORDER),
    "by_a_link": (ORDER, [span("api", ORDER, "server"), LINKED], RECEIVE),
    "a_replica": (ORDER, [span("api.1", ORDER, "server"), span("worker.0", ORDER)], ORDER),
    "passed_on_without_spans": (ORDER, [span("api", ORDER, "server")], ORDER),
    "settled_by_a_span_that_stands_alone": (ORDER, [span("api", ORDER, "server"), LINKED, SETTLED], RECEIVE),
}
BROKEN = {
    "no_trace": (None, [span("api", ORDER, "server")], None, "jobs: 17 from api carries no trace"),
    "not_in_it": (OWN, [span("api", ORDER, "server")], OWN, f"carries the trace {OWN}, in which api has no span"),
    "a_trace_of_its_own": (
        ORDER, [span("api", ORDER, "server"), LINKED, span("worker", OWN)], OWN,
        f"results: 17 from worker begins a trace of its own, {OWN}, which nothing that came to worker",
    ),
    "linked_by_the_settlement_alone": (
        ORDER, [span("api", ORDER, "server"), LINKED, SETTLED], OWN,
        f"results: 17 from worker begins a trace of its own, {OWN}",
    ),
    "the_receiver_is_elsewhere": (
        ORDER, [span("api", ORDER, "server"), span("worker", OWN)], None, "jobs: 17 was received by worker, which has no span",
    ),
    "worked_on_apart": (
        ORDER, [span("api", ORDER, "server"), LINKED, span("worker", OWN), SETTLED], RECEIVE,
        f"jobs: 17 was worked on by worker in a trace of its own, {OWN}, which does not link to the message's",
    ),
    "dropped_without_spans": (ORDER, [span("api", ORDER, "server")], OWN, "results: 17 from worker begins a trace of its own"),
}  # fmt: skip


def outcome(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word: str, first: str | None, spans: list[Span], second: str | None
) -> str:
    """Return how a case ends in which api sends to jobs, and worker from there to results."""
    monkeypatch.setattr("peeklock.engine.tracing.SPANS_WITHIN", 0.2)
    world = FakeEnvironment("api", "worker")

    def happens(*_: object) -> None:
        message(world, "jobs", first, "api", "worker")
        message(world, "results", second, "worker")
        world.telemetry.add(Batch(spans=spans), 1)

    monkeypatch.setattr("peeklock.engine.stepping.Stepper.run", happens)
    header = TRACED.replace("  worker: {run: [python]}", "  worker: {run: [python]}\n  api: {run: [python]}")
    text = f"always: [{word}]\ncases: {{one: {{steps: [{{set: {{a: 1}}}}]}}}}\n"
    failure = run_one(scenario_of(tmp_path, text, header), world).failure
    return "" if failure is None else "; ".join([failure.headline, *failure.also])


@pytest.mark.parametrize("name", UNBROKEN)
def test_an_unbroken_trace(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, spans, second = UNBROKEN[name]
    assert outcome(tmp_path, monkeypatch, "trace_unbroken", first, spans, second) == ""


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_trace(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, spans, second, why = BROKEN[name]
    assert why in outcome(tmp_path, monkeypatch, "trace_unbroken", first, spans, second)


def test_a_span_that_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spans = [span("api", ORDER, "server"), span("worker", ORDER, status="error")]
    assert "no_error_spans: worker: work: it broke" in outcome(
        tmp_path, monkeypatch, "no_error_spans", ORDER, spans, ORDER
    )
    assert outcome(tmp_path, monkeypatch, "no_error_spans", ORDER, spans[:1], ORDER) == ""
