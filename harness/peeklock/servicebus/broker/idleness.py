"""Entities that go when nobody uses them: AutoDeleteOnIdle (S-67, S-87)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .clock import Clock
from .queue import Queue


class Idleness:
    """Watches one entity; calls `delete` when it was idle for `limit` seconds.

    Use is a receiver, a send, a receive, a settlement, a peek, another request, a change of its settings, and a message that
    waits for its time. A topic is used when one of its subscriptions is; copies that come from the topic are no use of a
    subscription.
    """

    def __init__(
        self,
        entity: Queue,
        limit: float,
        clock: Clock,
        announce: Callable[[Any, float], None],
        delete: Callable[[Queue], None],
    ) -> None:
        self.armed = float("inf")
        self._entity = entity
        self._limit = limit
        self._now = clock.now
        self._announce = announce
        self._delete: Callable[[Queue], None] | None = delete
        self.arm(self.next_due())

    def cancel(self) -> None:
        """Watch no more."""
        self._delete = None

    def arm(self, when: float) -> None:
        """Announce a moment at which `expire_due` is to be called."""
        if when < self.armed:
            self.armed = when
            self._announce(self, when)

    def expire_due(self) -> None:
        """Delete the entity when it has been idle for long enough."""
        if self._delete is not None and self.next_due() <= self._now():
            delete, self._delete = self._delete, None
            delete(self._entity)

    def next_due(self) -> float:
        """Return when the entity will have been idle for long enough, in epoch seconds, if nobody uses it."""
        if self._delete is None:
            return float("inf")
        last = self._entity.last_used()
        return (self._now() if last is None else last) + self._limit
