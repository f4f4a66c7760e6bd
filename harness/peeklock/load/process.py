"""The process of a load: Locust on gevent.

Reads a line on descriptor 3 and answers with a line on descriptor 4: first an `Order`, then `next` each time. An answer holds
`Figures`, or `{"error"}`; it comes a second after the one before, or at the end of the load.
"""

from __future__ import annotations

# gevent has to find everything unpatched and unimported
from gevent import monkey

monkey.patch_all()

import itertools  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable  # noqa: E402
from typing import Any  # noqa: E402

import gevent  # noqa: E402
from gevent.event import Event  # noqa: E402
from gevent.fileobject import FileObject  # noqa: E402
from locust import User, constant  # noqa: E402
from locust.clients import HttpSession  # noqa: E402
from locust.env import Environment  # noqa: E402
from locust.exception import StopUser  # noqa: E402

from peeklock.load.figures import Figures, Measured, Taken  # noqa: E402
from peeklock.load.order import Order  # noqa: E402
from peeklock.load.rounds import Rounds  # noqa: E402

_ORDERS, _ANSWERS = 3, 4
EVERY = 1.0
"""Seconds between two answers."""
LAST_ROUND = 30.0
"""Seconds in which a user that is in the middle of a round may come to its end."""
_MOST_ERRORS = 50


class Load:
    """One order, carried out."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._indices, self._numbers = itertools.count(), itertools.count()
        self._at_it, self._iterations = 0, 0
        self._taken: list[Taken] = []
        self._started, self._seconds = time.monotonic(), 0.0
        self._exhausted = Event()
        """Set when there is no round left to begin, and none that is not over."""
        self.ended = Event()
        users = [_user_class(self._rounds_of, self._take, order.pause)]
        self._environment = Environment(user_classes=users, stop_timeout=LAST_ROUND)
        self._runner = self._environment.create_local_runner()

    def begin(self) -> None:
        """Let the users begin."""
        self._started = time.monotonic()
        self._environment.stats.clear_all()
        self._runner.start(self._order.users, spawn_rate=self._order.spawn_rate)
        gevent.spawn(self._end)

    def figures(self) -> Figures:
        """Return what has been counted and measured so far, and the requests since the last time."""
        stats = self._environment.stats
        taken, self._taken[:] = tuple(self._taken), []
        errors = sorted(stats.errors.values(), key=lambda each: -each.occurrences)[:_MOST_ERRORS]
        return Figures(
            total=_measured(stats.total),
            acts={name: _measured(entry) for (name, _), entry in sorted(stats.entries.items())},
            errors=tuple({"act": e.name, "error": str(e.error), "count": e.occurrences} for e in errors),
            iterations=self._iterations,
            users=self._at_it,
            now=round(stats.total.current_rps, 1),
            seconds=round(self._seconds or time.monotonic() - self._started, 3),
            ended=self.ended.is_set(),
            taken=taken,
        )

    def _rounds_of(self, environment: Any, user: Any) -> Rounds:
        fire = environment.events.request.fire
        session = HttpSession("", environment.events.request, user)
        return Rounds(self._order, next(self._numbers), session, fire, self._taken)

    def _take(self, rounds: Rounds) -> bool:
        """Do the next round; False when there is none."""
        index, most = next(self._indices), self._order.iterations
        if most is not None and index >= most:
            if not self._at_it:
                self._exhausted.set()
            return False
        self._at_it += 1
        try:
            rounds.do(index)
        finally:
            self._at_it -= 1
            self._iterations += 1
            if most is not None and index + 1 >= most and not self._at_it:
                self._exhausted.set()
        return True

    def _end(self) -> None:
        """Wait until the time is over, or all rounds are; then let users end the rounds that they are in."""
        self._exhausted.wait(self._order.duration)
        self._runner.stop()
        self._seconds = time.monotonic() - self._started
        self.ended.set()


def _user_class(rounds_of: Callable[[Any, Any], Rounds], take: Callable[[Rounds], bool], pause: float) -> Any:
    """Return Locust's description of a user: connections of its own, and one task, which is a round."""

    def on_start(self: Any) -> None:
        self.rounds = rounds_of(self.environment, self)

    def on_stop(self: Any) -> None:
        self.rounds.close()

    def a_round(self: Any) -> None:
        if not take(self.rounds):
            raise StopUser

    members = {"on_start": on_start, "on_stop": on_stop, "tasks": [a_round], "wait_time": constant(pause)}
    return type("Person", (User,), members)


def _measured(entry: Any) -> Measured:
    def at(share: float) -> float:
        return round((entry.get_response_time_percentile(share) or 0) / 1000, 4)

    most = round((entry.max_response_time or 0) / 1000, 4)
    return Measured(
        entry.num_requests, entry.num_failures, round(entry.total_rps, 1), at(0.5), at(0.95), at(0.99), most
    )


def _answer(told: bytes) -> None:
    left = memoryview(told)
    while left:
        left = left[os.write(_ANSWERS, left) :]


def main() -> None:
    """Carry out the order that comes, and answer until its end."""
    for descriptor in (_ORDERS, _ANSWERS):
        os.set_inheritable(descriptor, False)
    with FileObject(_ORDERS, "rb") as lines:
        try:
            load = Load(Order.read(lines.readline()))
            load.begin()
        except Exception as error:  # noqa: BLE001  whoever waits for an answer is told
            _answer(json.dumps({"error": f"{type(error).__name__}: {error}"}).encode() + b"\n")
            return
        _answer(load.figures().line())
        while lines.readline():
            load.ended.wait(EVERY)
            _answer(load.figures().line())


if __name__ == "__main__":
    main()
