"""One timer for everything that the broker's clock brings: locks, schedules, expiries, tokens."""

from __future__ import annotations

import asyncio

from peeklock.servicebus.broker import Namespace

from .connections import Connections
from .detaching import LinkDetacher
from .failures import Failures
from .turns import TurnScheduler

_LONGEST_SLEEP = 3600.0
_NEVER = float("inf")


class DeadlineTimer:
    """Wakes the namespace when something is due there, and looks at claims when one expires."""

    def __init__(
        self,
        namespace: Namespace,
        connections: Connections,
        detacher: LinkDetacher,
        turns: TurnScheduler,
        failures: Failures,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._namespace = namespace
        self._connections = connections
        self._detacher = detacher
        self._turns = turns
        self._failures = failures
        self._timer: asyncio.TimerHandle | None = None
        self._at = _NEVER
        self._claims_until = _NEVER
        namespace.timers.on_deadline = self.wake_at

    def wake_at(self, when: float) -> None:
        """Look at what is due at a time (epoch seconds of the broker's clock), or before."""
        if when >= self._at or when == _NEVER:
            return
        self.stop()
        self._at = when
        delay = min(max(0.0, when - self._namespace.clock.now()), _LONGEST_SLEEP)
        self._timer = self._loop.call_later(delay, self.run_due)

    def watch_claim(self, expires: float) -> None:
        """Look at claims when one expires (epoch seconds)."""
        if expires < self._claims_until:
            self._claims_until = expires
            self.wake_at(expires)

    def run_due(self) -> None:
        """Do what the clock asks for: also called after the clock was moved."""
        self.stop()
        try:
            self._namespace.run_due()
            if self._claims_until <= self._namespace.clock.now():
                self._drop_expired_claims()
        except Exception as error:  # noqa: BLE001 -- the timer goes on, whatever one entity does
            self._failures.unforeseen(error, "what the clock has brought")
        self._turns.end()
        due = self._namespace.next_due()
        self.wake_at(min(self._claims_until, _NEVER if due is None else due))

    def _drop_expired_claims(self) -> None:
        for connection in list(self._connections.amqp):
            if connection.claims.drop_expired():
                self._detacher.lapsed(connection)
        left = [claim.expires for connection in self._connections.amqp for claim in connection.claims]
        self._claims_until = min(left, default=_NEVER)

    def stop(self) -> None:
        """Wake nobody any more."""
        self._at = _NEVER
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
