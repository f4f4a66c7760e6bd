"""The metrics of a Service Bus namespace, from its ledger (documentation of Azure, "Monitor Service Bus data reference")."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, assert_never

from peeklock.alerts.point import Point, sampled
from peeklock.servicebus.ledger import Entry, EventKind
from peeklock.servicebus.paths import DEAD_LETTER_SUFFIX

Gauge = Literal["ActiveMessages", "DeadletteredMessages", "ScheduledMessages"]
_COUNTED = {
    EventKind.ENQUEUED: "IncomingMessages",
    EventKind.SCHEDULED: "IncomingMessages",
    EventKind.DELIVERED: "OutgoingMessages",
    EventKind.RECEIVED_AND_DELETED: "OutgoingMessages",
    EventKind.COMPLETED: "CompleteMessage",
    EventKind.ABANDONED: "AbandonMessage",
}


def servicebus_metrics(entries: Iterable[Entry], end: float) -> Mapping[str, list[Point]]:
    """Return the points of each metric until `end` (epoch seconds), in the order of their times.

    What happens is a point of 1 at its moment. How many messages there are is sampled at each full minute, as in Azure: one that
    came and went between two is not seen.
    """
    found: dict[str, list[Point]] = defaultdict(list)
    entities: dict[str, _Entity] = defaultdict(_Entity)
    for entry in entries:
        name = entry.entity.removesuffix(DEAD_LETTER_SUFFIX)
        dead = name != entry.entity
        if entry.event in _COUNTED and not dead:
            found[_COUNTED[entry.event]].append(Point(entry.at, 1, {"EntityName": name}))
        entities[name].hear(entry, dead=dead)
    for name, entity in entities.items():
        for gauge, changes in entity.changes.items():
            found[gauge] += [Point(at, value, {"EntityName": name}) for at, value in sampled(changes, end)]
    return {metric: sorted(points, key=lambda point: point.at) for metric, points in found.items()}


@dataclass
class _Entity:
    """How many messages an entity and its dead-letter queue have had, from change to change."""

    stands: dict[tuple[bool, int], Gauge] = field(default_factory=dict)
    """Where each message counts, by whether it is a dead letter, and its number."""
    counts: Counter[Gauge] = field(default_factory=Counter)
    changes: dict[Gauge, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))

    def hear(self, entry: Entry, *, dead: bool) -> None:
        if entry.event is EventKind.PURGED:
            for key in [key for key in self.stands if key[0] == dead]:
                self._move(entry.at, key, None)
        elif entry.message is not None and entry.event is not EventKind.FAULT:
            key = (dead, entry.message.sequence)
            self._move(entry.at, (dead, entry.details.get("scheduled_sequence", 0)), None)
            gauge = _gauge(entry.event)
            self._move(entry.at, key, "DeadletteredMessages" if gauge and dead else gauge)

    def _move(self, at: float, key: tuple[bool, int], to: Gauge | None) -> None:
        before = self.stands.pop(key, None)
        if to is not None:
            self.stands[key] = to
        if before == to:
            return
        for gauge, step in ((before, -1), (to, 1)):
            if gauge is not None:
                self.counts[gauge] += step
                self.changes[gauge].append((at, self.counts[gauge]))


def _gauge(event: EventKind) -> Gauge | None:
    """Return where a message counts after an event; None when it is gone. One that is locked or deferred is still active."""
    match event:
        case (
            EventKind.ENQUEUED
            | EventKind.ACTIVATED
            | EventKind.DELIVERED
            | EventKind.RENEWED
            | EventKind.ABANDONED
            | EventKind.RELEASED
            | EventKind.LOCK_EXPIRED
            | EventKind.TAKEN_BACK
            | EventKind.DEFERRED
        ):
            return "ActiveMessages"
        case EventKind.SCHEDULED:
            return "ScheduledMessages"
        case (
            EventKind.CANCELLED
            | EventKind.DUPLICATE_DROPPED
            | EventKind.RECEIVED_AND_DELETED
            | EventKind.COMPLETED
            | EventKind.DEAD_LETTERED
            | EventKind.EXPIRED
            | EventKind.DELETED
            | EventKind.PUBLISHED
            | EventKind.FORWARDED
            | EventKind.TRANSFERRED
            | EventKind.TRANSFER_DEAD_LETTERED
        ):
            return None
        case (
            EventKind.SESSION_ACCEPTED
            | EventKind.SESSION_RENEWED
            | EventKind.SESSION_RELEASED
            | EventKind.SESSION_LOCK_LOST
            | EventKind.PURGED
            | EventKind.DELETED_ON_IDLE
            | EventKind.TRANSACTION_COMMITTED
            | EventKind.TRANSACTION_ROLLED_BACK
            | EventKind.TOKEN_RENEWED
            | EventKind.ACCESS_REFUSED
            | EventKind.FAULT
        ):
            raise AssertionError(f"{event} moves no message")
        case _:
            assert_never(event)
