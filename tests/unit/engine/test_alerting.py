"""Rules of a file look at what its services tell."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from peeklock.engine.events import CaseFinished
from peeklock.telemetry import Batch, Point, Span
from tests.unit.engine.fake import HEADER, FakeEnvironment, run_one, scenario_of

TRACED = HEADER.replace("stack:\n", "alerts: rules.yaml\nstack:\n  telemetry: true\n")
RULES = """\
slow:
  query: AppRequests | summarize P95 = percentile(DurationMs, 95)
  column: P95
  threshold: 200
failed:
  metric: jobs.failed
  aggregation: Total
  threshold: 2
  dimensions: {queue: "*"}
"""


def judged(folder: Path, alert: str, expect: str, batch: Batch) -> CaseFinished:
    """Run a case in which telemetry comes and six minutes go by."""
    (folder / "rules.yaml").write_text(RULES, encoding="utf-8")
    world = FakeEnvironment("worker")
    world.telemetry.add(batch, 1)
    steps = f"      - clock: 6m\n      - alert: {alert}\n        expect: {expect}\n"
    return run_one(scenario_of(folder, f"cases:\n  one:\n    steps:\n{steps}", TRACED), world)


def span(seconds: float) -> Span:
    at = time.time() + 1
    return Span("worker", "GET /", "server", "a" * 32, "b" * 16, "", at, at + seconds)


def failures(name: str, value: float) -> Point:
    return Point("worker", name, time.time() + 1, value, {"queue": "jobs"}, grows=True, since=time.time())


def test_a_percentile_of_requests_fires(tmp_path: Path) -> None:
    expect = '{state: Fired, why: "Average of P95 over 5m was 500 (greater than 200 fires)"}'
    finished = judged(tmp_path, "slow", expect, Batch(spans=[span(0.5), span(0.1)]))
    assert finished.outcome == "passed", finished.failure


def test_a_counter_of_a_service_fires_with_its_dimension(tmp_path: Path) -> None:
    finished = judged(
        tmp_path, "failed", "{state: Fired, dimensions: {queue: jobs}}", Batch(points=[failures("jobs.failed", 3)])
    )
    assert finished.outcome == "passed", finished.failure


def test_the_clock_waits_for_what_was_counted_before_it_is_moved(tmp_path: Path) -> None:
    """An export that comes after the move would tell of the time after it."""
    (tmp_path / "rules.yaml").write_text(RULES, encoding="utf-8")
    world = FakeEnvironment("worker")
    early = replace(failures("jobs.failed", 1), at=time.time() - 1)
    world.telemetry.add(Batch(points=[early]), 1)
    known: list[float] = []
    advance = world.clock.advance

    def moved(seconds: float) -> datetime:
        known.append(world.telemetry.exported()["worker"])
        return advance(seconds)

    world.clock.advance = moved  # type: ignore[method-assign]
    timer = threading.Timer(0.1, lambda: world.telemetry.add(Batch(points=[replace(early, at=time.time() + 5)]), 1))
    timer.start()
    finished = run_one(scenario_of(tmp_path, "cases:\n  one:\n    steps:\n      - clock: 6m\n", TRACED), world)
    assert finished.outcome == "passed", finished.failure
    assert known[0] > early.at


def test_a_metric_that_never_came_is_named_with_those_that_did(tmp_path: Path) -> None:
    finished = judged(tmp_path, "failed", "{state: Fired}", Batch(points=[failures("job.failed", 3)]))
    assert finished.failure is not None
    told = " ".join(finished.failure.notes)
    assert (
        "failed saw no data; it is evaluated each 1m; no jobs.failed came; metrics came of other names: job.failed"
        in told
    )
    assert 'did you mean "job.failed"?' in told


def test_a_table_that_nothing_came_for_is_named(tmp_path: Path) -> None:
    finished = judged(tmp_path, "slow", "{state: Fired}", Batch())
    assert finished.failure is not None
    assert "AppRequests is empty: no service has sent anything for it" in " ".join(finished.failure.notes)
