"""A case that uses more than its budget fails, and says what was the most."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from peeklock.engine.events import CaseFinished, Event, StepFinished
from peeklock.standins import Entry, Journal
from peeklock.supervision.usage import Usage
from peeklock.telemetry import Batch, Span
from tests.unit.engine.fake import HEADER, FakeEnvironment, run_one, scenario_of

TRACED = HEADER.replace(
    "stack:\n", "stack:\n  telemetry: true\n  http: {shop: {routes: [{get: /, respond: {status: 200}}]}}\n"
)


def judged(folder: Path, budget: str) -> CaseFinished:
    """Run a case in which a message comes twice, two spans take half a second, and a stand-in is asked twice."""
    world = FakeEnvironment("worker")
    journal = Journal()
    shop: Any = SimpleNamespace(journal=journal)
    world.standins = {"shop": shop}
    for _ in range(2):
        journal.add(0, Entry(time.time(), {"caller": "worker"}, "GET / 200"))
    at = time.time() + 0.5
    span = Span("worker", "settle", "consumer", "a" * 32, "b" * 16, "", at, at + 0.5)
    world.telemetry.add(Batch(spans=[span, span]), 1)
    world.services.used = [Usage((1, 1), 5.0, 200 << 20)]

    def emit(event: Event) -> None:
        if isinstance(event, StepFinished):
            world.happen("enqueued", message_id="17", sender="service-worker")
            world.happen("delivered", delivery=1)
            world.happen("abandoned")
            world.happen("delivered", delivery=2)
            world.happen("completed")
            world.services.used = [Usage((1, 1), 7.5, 300 << 20)]

    cases = f"cases:\n  one:\n    budget: {budget}\n    steps:\n      - set: {{a: 1}}\n"
    return run_one(scenario_of(folder, cases, TRACED), world, emit)


@pytest.mark.parametrize(
    ("budget", "told"),
    [
        (
            "{deliveries: {jobs: 1}}",
            "deliveries: jobs delivered 17 2 times, at most 1; it was enqueued, delivered, abandoned, delivered, completed",
        ),
        ("{messages: {jobs: 0}}", "messages: jobs got 1, at most 0; by worker 1"),
        (
            "{requests: {shop: 1}}",
            "requests: shop was asked 2 times, at most 1; by worker 2; last: GET / 200; GET / 200",
        ),
        (
            "{spans: {service: worker, name: settle, p95: 200ms}}",
            "spans worker settle: p95 was 500 ms of 2, at most 200 ms; slowest: worker settle in 500 ms, worker settle in 500 ms",
        ),
        ("{spans: {name: other, max: 1s}}", "spans other: there was none, so nothing was measured"),
        ("{http: {service: worker, max: 1s}}", "http worker: there was none, so nothing was measured"),
        ("{services: {worker: {cpu: 2s}}}", "services: worker used 2.50 s of CPU, at most 2 s"),
        ("{services: {worker: {memory: 250MiB}}}", "services: worker held 300 MiB of memory, at most 250 MiB"),
    ],
)
def test_what_is_too_much_is_told_with_the_limit(tmp_path: Path, budget: str, told: str) -> None:
    finished = judged(tmp_path, budget)
    assert finished.failure is not None
    assert finished.failure.headline == f"budget: {told}"


def test_a_case_within_its_budget_passes(tmp_path: Path) -> None:
    """CPU time is that of the case alone: the service had used five seconds before."""
    finished = judged(
        tmp_path,
        "{deliveries: {jobs: 2}, messages: {jobs: 1}, requests: {shop: 2}, spans: [{max: 1s}],"
        " services: {worker: {cpu: 3s, memory: 1GiB}}}",
    )
    assert finished.outcome == "passed", finished.failure


def test_what_services_use_is_told_on_some_machines_only(tmp_path: Path) -> None:
    """So a case with such a limit requires the ability."""
    cases = "cases:\n  one:\n    budget: {services: {worker: {cpu: 1s}}}\n    steps: [{set: {a: 1}}]\n"
    scenario = scenario_of(tmp_path, cases)
    assert scenario.requires(scenario.cases[0]) == ["usage"]
