"""What came belongs to the case in which it happened."""

from __future__ import annotations

from dataclasses import replace

import pytest

from peeklock.telemetry import Batch, Link, LogRecord, Point, Span, Telemetry
from peeklock.telemetry.limits import CASE_BYTES, TelemetryRefused
from peeklock.trace_context import trace_of

SPAN = Span("worker", "settle", "consumer", "a" * 32, "b" * 16, "", 1000.0, 1001.0)
COUNT = Point("worker", "settled", 1000.0, 5, {"queue": "jobs"}, grows=True, since=900.0)


class Clock:
    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def telemetry(clock: Clock) -> Telemetry:
    made = Telemetry(clock)
    made.begin()
    return made


def test_a_late_span_of_the_case_before_is_not_of_this_one(telemetry: Telemetry, clock: Clock) -> None:
    clock.at = 1010.0
    telemetry.begin()
    telemetry.add(
        Batch(spans=[SPAN, replace(SPAN, start=1009.0, end=1011.0), replace(SPAN, start=1010.5, end=1011.0)]), 1
    )
    assert [span.start for span in telemetry.spans()] == [1010.5]


def test_a_receiver_that_had_waited_is_of_the_case_whose_message_it_got(telemetry: Telemetry) -> None:
    """The sender's span may come later than the span that is linked to it."""
    waited = replace(SPAN, start=990.0, trace_id="c" * 32, links=(Link(SPAN.trace_id, SPAN.span_id),))
    telemetry.add(Batch(spans=[waited]), 1)
    assert telemetry.spans() == []
    telemetry.add(Batch(spans=[SPAN]), 1)
    assert telemetry.spans() == [waited, SPAN]


def test_a_span_of_a_clock_that_was_ahead_is_not_of_this_case(telemetry: Telemetry) -> None:
    telemetry.add(Batch(spans=[replace(SPAN, start=99_000.0, end=99_001.0)]), 1)
    assert telemetry.spans() == []


def test_nobody_waits_for_the_exports_of_processes_that_have_ended(telemetry: Telemetry) -> None:
    """One that lives on exports again; one that was started for this case may never have anything to export."""
    telemetry.add(Batch(points=[COUNT]), 1)
    telemetry.begin()
    assert telemetry.exported() == {"worker": 0.0}
    telemetry.begin(anew=True)
    assert telemetry.exported() == {}


def test_a_counter_that_goes_on_counts_from_the_beginning_of_the_case(telemetry: Telemetry, clock: Clock) -> None:
    telemetry.add(Batch(points=[COUNT, replace(COUNT, at=1002.0, value=7)]), 1)
    clock.at = 1010.0
    telemetry.begin()
    assert telemetry.series() == []
    telemetry.add(Batch(points=[replace(COUNT, at=1005.0, value=8), replace(COUNT, at=1011.0, value=11)]), 1)
    (series,) = telemetry.series()
    assert series.view() == {
        "of": "worker",
        "name": "settled",
        "attributes": {"queue": "jobs"},
        "value": 11,
        "increase": 3,
    }


def test_a_counter_of_a_new_process_begins_at_nothing(telemetry: Telemetry) -> None:
    points = [COUNT, replace(COUNT, at=1002.0, value=2, since=1001.0), replace(COUNT, at=1003.0, value=3, since=1001.0)]
    telemetry.add(Batch(points=points), 1)
    (series,) = telemetry.series()
    assert series.increase() == (5 + 3, 0)


def test_what_tells_of_the_time_between_is_added_up(telemetry: Telemetry) -> None:
    points = [replace(COUNT, since=None, value=value, at=1000.0 + value, count=1) for value in (2, 4)]
    telemetry.add(Batch(points=points), 1)
    (series,) = telemetry.series()
    assert (series.view()["increase"], series.view()["count"]) == (6, 2)


def test_a_gauge_has_no_increase(telemetry: Telemetry) -> None:
    telemetry.add(Batch(points=[replace(COUNT, grows=False, value=2.5)]), 1)
    (series,) = telemetry.series()
    assert series.view()["value"] == 2.5
    assert "increase" not in series.view()


def test_log_records_are_of_their_case(telemetry: Telemetry) -> None:
    records = [LogRecord("api", at, "info", "x") for at in (999.0, 1001.0)]
    telemetry.add(Batch(logs=records), 1)
    assert telemetry.logs() == records[1:]


def test_a_case_keeps_so_much_and_says_so(telemetry: Telemetry) -> None:
    telemetry.add(Batch(spans=[SPAN]), CASE_BYTES)
    with pytest.raises(TelemetryRefused, match="not more") as refused:
        telemetry.add(Batch(spans=[SPAN]), 1)
    assert refused.value.status == 507
    assert len(telemetry.spans()) == len(telemetry.refused) == 1
    telemetry.begin()
    assert telemetry.refused == []


def test_whoever_waits_is_woken(telemetry: Telemetry) -> None:
    woken: list[int] = []
    end = telemetry.on_change(lambda: woken.append(1))
    telemetry.add(Batch(spans=[SPAN]), 1)
    end()
    telemetry.add(Batch(spans=[SPAN]), 1)
    assert woken == [1]


@pytest.mark.parametrize("carrier", ["traceparent", "Diagnostic-Id"])
def test_a_message_carries_its_trace(carrier: str) -> None:
    assert trace_of({carrier: f"00-{'a' * 32}-{'b' * 16}-01"}) == ("a" * 32, "b" * 16)


@pytest.mark.parametrize("text", ["", "x", f"00-{'0' * 32}-{'b' * 16}-01", f"00-{'A' * 32}-{'b' * 16}-01"])
def test_what_is_no_trace_is_none(text: str) -> None:
    assert trace_of({"traceparent": text}) is None
