"""The faults of one namespace: which are on, how often each has struck, and where they stand in the way."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from peeklock.servicebus.broker import BrokerError, Message, Queue
from peeklock.servicebus.ledger import EventKind
from peeklock.servicebus.settings import TopologyError, read_settings

from .fault import Fault
from .kinds import KINDS

if TYPE_CHECKING:
    from peeklock.servicebus.gateway.context import NamespaceContext

KEPT = 1_000
"""How many faults are remembered that are over."""


class FaultNotFound(BrokerError):
    """There is no such fault."""

    condition = "amqp:not-found"
    status = 404


@dataclass(eq=False)
class BegunFault:
    """One fault, and what became of it."""

    id: str
    fault: Fault
    path: str | None
    """The entity in lower case."""
    struck: int = 0
    active: bool = True

    def to_json(self) -> dict[str, Any]:
        """Tell of it as the control API does."""
        times = self.fault.limit
        return {
            "id": self.id,
            "fault": self.fault.kind,
            "entity": self.fault.entity,
            "struck": self.struck,
            "left": times - self.struck if self.active and times is not None else None,
            "active": self.active,
        }


class Faults:
    """Every begin, strike and end of a fault is an entry "fault" in the ledger."""

    def __init__(self, context: NamespaceContext) -> None:
        self._context = context
        self._entries: OrderedDict[str, BegunFault] = OrderedDict()
        self._count = 0

    def begin(self, document: Any) -> BegunFault:
        """Start the fault that a JSON object asks for. Raises `TopologyError`, and `EntityNotFound`."""
        settings = dict(document) if isinstance(document, dict) else {}
        kind = settings.pop("fault", None)
        if kind not in KINDS:
            raise TopologyError(f"there is no fault {kind!r}", f"'fault' is one of {', '.join(sorted(KINDS))}")
        return self.start(read_settings(KINDS[kind], settings, kind))

    def start(self, fault: Fault) -> BegunFault:
        """Start a fault. Raises `TopologyError`, and `EntityNotFound`."""
        fault.check()
        path = None
        if fault.entity is not None:
            path = self._context.namespace.entity(fault.entity).name.lower()
        self._count += 1
        entry = BegunFault(f"fault-{self._count}", fault, path)
        self._entries[entry.id] = entry
        self._record(entry, "begin", asdict(fault))
        if fault.at_once:
            for met in fault.now(self._context, [queue for queue in self._queues() if path in (None, _path(queue))]):
                self.strike(entry, met)
            self._end(entry, "done")
        else:
            self.refresh()
        self._forget_old()
        self._context.turns.end()
        return entry

    def listing(self) -> list[dict[str, Any]]:
        """Tell of all that were not cleared, the oldest first: those that are over, too."""
        return [entry.to_json() for entry in self._entries.values()]

    def end(self, fault_id: str) -> None:
        """Clear one fault. Raises `FaultNotFound`."""
        entry = self._entries.pop(fault_id, None)
        if entry is None:
            raise FaultNotFound(f"There is no fault '{fault_id}'.")
        if entry.active:
            self._end(entry, "cleared")
        self._resume([entry])

    def clear(self, why: str = "cleared") -> None:
        """Clear all faults."""
        cleared = list(self._entries.values())
        for entry in cleared:
            if entry.active:
                self._end(entry, why)
        self._entries.clear()
        if why == "cleared":  # after a reset there is nothing any more that a held operation could be about
            self._resume(cleared)

    def _resume(self, cleared: list[BegunFault]) -> None:
        """Do what was held, all faults being off by now."""
        for resume in [each for entry in cleared for each in entry.fault.release()]:
            resume()
        self._context.turns.end()

    def strike(self, entry: BegunFault, met: dict[str, Any]) -> None:
        """Count a strike; a fault that has struck as often as it should is over."""
        entry.struck += 1
        self._record(entry, "strike", met)
        if entry.fault.limit is not None and entry.struck >= entry.fault.limit:
            self._end(entry, "used up")

    def refresh(self) -> None:
        """Put the faults that are on in the way of their entities, those that are new, too."""
        on = [entry for entry in self._entries.values() if entry.active]
        for queue in self._queues():
            meant = [entry for entry in on if entry.path in (None, _path(queue))]
            queue.faults = EntityFaults(self, queue, meant) if meant else None

    def _end(self, entry: BegunFault, why: str) -> None:
        entry.active = False
        self._record(entry, "end", {"why": why, "struck": entry.struck})
        self.refresh()

    def _forget_old(self) -> None:
        over = [entry.id for entry in self._entries.values() if not entry.active]
        for fault_id in over[: max(0, len(over) - KEPT)]:
            del self._entries[fault_id]

    def _record(self, entry: BegunFault, phase: str, details: dict[str, Any]) -> None:
        met = dict(details)
        queue = met.pop("queue", entry.fault.entity or "")
        sequence, message_id, consumer = met.pop("sequence", 0), met.pop("message_id", ""), met.pop("consumer", None)
        met.pop("entity", None)
        facts = {"fault": entry.fault.kind, "fault_id": entry.id, "phase": phase, **met}
        namespace = self._context.namespace
        ledger, now = namespace.ledger, namespace.clock.now()
        if sequence or message_id:
            ledger.record(now, queue, EventKind.FAULT, sequence, message_id or "", 0, consumer, None, facts)
        else:
            ledger.record_entity(now, queue, EventKind.FAULT, facts)
        self._context.log(f"fault.{phase}", fault=entry.fault.kind, id=entry.id, entity=queue)

    def _queues(self) -> Iterator[Queue]:
        for entity in self._context.namespace.entities():
            for part in (entity, entity.dead_letters, entity.transfer_dead_letters):
                if part is not None:
                    yield part


def _path(queue: Queue) -> str:
    return queue.name.lower()


class EntityFaults:
    """The faults of one entity, where clients meet them (`broker.interference`)."""

    def __init__(self, faults: Faults, queue: Queue, entries: list[BegunFault]) -> None:
        self._faults = faults
        self._queue = queue
        self._entries = entries

    def admit(self, operation: str, principal: str) -> None:
        """Raise what a fault wants an operation to fail with."""
        for entry in self._entries:
            error = entry.fault.refuses(operation, principal) if entry.active else None
            if error is not None:
                self._faults.strike(entry, {"queue": self._queue.name, "operation": operation})
                raise error

    def swallows(self, token: bytes, settlement: str) -> bool:
        """Let the first fault that wants it have a settlement; a lock that is lost is none of theirs."""
        message = self._queue.settlement.locked(token)
        if message is None:
            return False
        for entry in self._entries:
            consumer = message.consumer
            if entry.active and entry.fault.swallows(self._queue, message, settlement):
                self._strike(entry, message, consumer, settlement=settlement)
                return True
        return False

    def holds_settlement(self, settlement: str, token: bytes, resume: Callable[[], None]) -> bool:
        """Let the first fault that wants it keep a settlement; a lock that is lost is none of theirs."""
        message = self._queue.settlement.locked(token)
        if message is None:
            return False
        message_id, consumer = message.content.message_id, message.consumer
        for entry in self._entries:
            if entry.active and entry.fault.holds(settlement, message_id, consumer or "", resume):
                self._strike(entry, message, consumer, operation=settlement)
                return True
        return False

    def holds_send(self, operation: str, message_id: str | None, principal: str, resume: Callable[[], None]) -> bool:
        """Let the first fault that wants it keep a message, or what its sender is to be told."""
        for entry in self._entries:
            if entry.active and entry.fault.holds(operation, message_id, principal, resume):
                met = {"queue": self._queue.name, "message_id": message_id, "operation": operation}
                self._faults.strike(entry, met)
                return True
        return False

    def delivered(self, message: Message) -> None:
        """Let the first fault that wants it have a delivery."""
        for entry in self._entries:
            consumer = message.consumer
            if entry.active and entry.fault.delivered(self._queue, message):
                self._strike(entry, message, consumer)
                return

    def _strike(self, entry: BegunFault, message: Message, consumer: str | None, **details: Any) -> None:
        met = {"queue": self._queue.name, "sequence": message.sequence, "consumer": consumer}
        self._faults.strike(entry, {**met, "message_id": message.content.message_id, **details})
