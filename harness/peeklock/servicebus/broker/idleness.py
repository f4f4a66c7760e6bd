"""Entities that go when nobody uses them: AutoDeleteOnIdle (S-67, S-87)."""

from __future__ import annotations

from collections.abc import Callable

from .queue import Queue, Surroundings
from .timers import NEVER


class Idleness:
    """Watches one entity; calls `delete` when it was idle for `limit` seconds.

    Use is a receiver, a send, a receive, a settlement, a peek, another request, a change of its settings, and a message that
    waits for its time. A topic is used when one of its subscriptions is; copies that come from the topic are no use of a
    subscription.
    """

    def __init__(
        self, entity: Queue, limit: float, surroundings: Surroundings, delete: Callable[[Queue], None]
    ) -> None:
        self._entity = entity
        self._limit = limit
        self._now = surroundings.clock.now
        self._delete: Callable[[Queue], None] | None = delete
        self._timer = surroundings.timers.timer(self._look, self._due)
        self._timer.arm(self._due())

    def cancel(self) -> None:
        """Watch no more."""
        self._delete = None

    def _look(self) -> None:
        if self._delete is not None and self._due() <= self._now():
            delete, self._delete = self._delete, None
            delete(self._entity)

    def _due(self) -> float:
        """Return when the entity will have been idle for long enough, if nobody uses it."""
        if self._delete is None:
            return NEVER
        last = self._entity.last_used()
        return (self._now() if last is None else last) + self._limit
