"""Waiting: at once, by the event, no delay after success, no longer than of use."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from peeklock.engine.waiting import Deadline, Look, Signal, wait_until


def looks(*results: bool) -> Iterator[bool]:
    yield from results
    while True:
        yield results[-1]


def test_looks_at_once() -> None:
    waited = wait_until(lambda: Look(True, "x"), Deadline(0.0), Signal())
    assert (waited.good, waited.tries, waited.last) == (True, 1, "x")


def test_looks_again_until_it_is_good() -> None:
    results = looks(False, False, True)
    waited = wait_until(lambda: Look(next(results), None), Deadline(5), Signal())
    assert (waited.good, waited.tries) == (True, 3)


def test_tells_first_and_last_when_the_time_is_up() -> None:
    values = iter(range(1000))
    waited = wait_until(lambda: Look(False, next(values)), Deadline(0.12), Signal())
    assert not waited.good
    assert (waited.first, waited.last) == (0, waited.tries - 1)
    assert waited.why == "0.12 s are over"
    assert not waited.early


def test_stops_early_when_no_later_look_can_be_better() -> None:
    waited = wait_until(lambda: Look(False, 1, final="it is dead"), Deadline(60), Signal())
    assert (waited.good, waited.tries, waited.why, waited.early) == (False, 1, "it is dead", True)


def test_an_event_between_look_and_wait_is_not_missed() -> None:
    """Were it missed, this would wait for the back-off of a second; the deadline is the proof."""
    signal = Signal()
    seen = []

    def look() -> Look[int]:
        seen.append(1)
        if len(seen) == 1:
            signal.wake()
        return Look(len(seen) == 2, len(seen))

    assert wait_until(look, Deadline(30), signal).tries == 2


def test_an_event_wakes_a_long_wait() -> None:
    signal, happened = Signal(), threading.Event()

    def act() -> None:
        happened.set()
        signal.wake()

    timer = threading.Timer(0.05, act)
    timer.start()
    waited = wait_until(lambda: Look(happened.is_set(), None), Deadline(60), signal)
    timer.join()
    assert waited.good
    assert waited.tries <= 4


def test_stable_for_wants_it_to_stay() -> None:
    results = looks(True, False, True)
    waited = wait_until(lambda: Look(next(results), None), Deadline(10), Signal(), stable_for=0.1)
    assert waited.good
    assert waited.tries >= 4


def test_what_does_not_stay_is_not_good() -> None:
    flip = iter([True, False] * 1000)
    waited = wait_until(lambda: Look(next(flip), None), Deadline(0.3), Signal(), stable_for=0.2)
    assert not waited.good


@pytest.mark.parametrize("seconds", [0.0, 0.01])
def test_deadlines_nest(seconds: float) -> None:
    assert Deadline(seconds).sooner(60).left <= seconds
    assert Deadline(60).sooner(seconds).left <= seconds
