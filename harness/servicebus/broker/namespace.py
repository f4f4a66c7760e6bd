"""A namespace: its entities, its ledger, and the moments at which they have something to do."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping

from .clock import Clock
from .entity import Settings
from .errors import EntityNotFound, NotImplementedYet
from .ledger import Describe, Ledger
from .queue import DEAD_LETTER_SUFFIX, Queue


class Namespace:
    """Queues by name (case-insensitive). `on_deadline` is called with an epoch second whenever the earliest moment at
    which `run_due` is needed has become earlier."""

    def __init__(
        self,
        name: str,
        queues: Mapping[str, Settings],
        clock: Clock,
        *,
        describe: Describe | None = None,
        ledger_cap: int | None = None,
    ) -> None:
        self.name = name
        self.clock = clock
        self.ledger = Ledger(describe) if ledger_cap is None else Ledger(describe, ledger_cap)
        self.on_deadline: Callable[[float], None] | None = None
        self._timers: list[tuple[float, int, Queue]] = []
        self._count = 0
        self.queues = {
            queue_name.lower(): Queue(queue_name, settings, clock, self.ledger, self._arm)
            for queue_name, settings in queues.items()
        }

    def entity(self, path: str) -> Queue:
        """Find a queue or a dead-letter queue by its path. Raises `EntityNotFound`, or `NotImplementedYet` by name."""
        lowered = path.strip("/").lower()
        if lowered.endswith(DEAD_LETTER_SUFFIX):
            base = lowered[: -len(DEAD_LETTER_SUFFIX)]
            if base.endswith("/$transfer"):
                raise NotImplementedYet(f"'{path}': transfer dead-letter queues are not supported yet.")
            dead = self._queue(base, path).dead_letters
            assert dead is not None
            return dead
        if "/subscriptions/" in lowered:
            raise NotImplementedYet(f"'{path}': topics and subscriptions are not supported yet; use queues.")
        return self._queue(lowered, path)

    def _queue(self, lowered: str, path: str) -> Queue:
        queue = self.queues.get(lowered)
        if queue is None:
            raise EntityNotFound(f"The messaging entity 'sb://{self.name}/{path}' could not be found.")
        return queue

    def reset(self) -> int:
        """Empty every entity and forget the duplicate histories; returns the ledger's cursor: later entries are new."""
        for queue in self.queues.values():
            queue.purge()
            if queue.dead_letters is not None:
                queue.dead_letters.purge()
        return self.ledger.cursor

    def run_due(self) -> None:
        """Do everything that the clock asks for by now."""
        now = self.clock.now()
        timers = self._timers
        while timers and timers[0][0] <= now:
            _, _, queue = heapq.heappop(timers)
            queue.armed = float("inf")
            queue.expire_due()
            due = queue.next_due()
            if due < queue.armed:
                # an entry whose message has moved on may be due already; the queue has looked at it just now
                queue.arm(due if due > now else now + 0.001)

    def next_due(self) -> float | None:
        """Return the epoch second at which `run_due` is needed next, or None."""
        return self._timers[0][0] if self._timers else None

    def _arm(self, queue: Queue, when: float) -> None:
        self._count += 1
        heapq.heappush(self._timers, (when, self._count, queue))
        if self.on_deadline is not None and self._timers[0][0] == when:
            self.on_deadline(when)
