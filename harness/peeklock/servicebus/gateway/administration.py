"""What the owner of a namespace does to it: reset, delete, open and close entities, begin faults."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from peeklock.servicebus.broker import Queue
from peeklock.servicebus.broker.errors import NotAllowed

from .context import NamespaceContext

if TYPE_CHECKING:
    from peeklock.servicebus.store.file import Store
    from peeklock.servicebus.topology import Topology

    from .faults import Faults


class Administration:
    """One namespace's. `records` is what the administration API knows of entities, by path in lower case."""

    def __init__(self, context: NamespaceContext, topology: Topology, store: Store | None) -> None:
        self.context = context
        self.topology = topology
        self.started_at = context.namespace.clock.now()
        self.records: dict[str, Any] = {}
        self._store = store
        self._faults: Faults | None = None
        context.namespace.on_gone = self._forget

    def define(self) -> None:
        """Have it kept what the namespace is."""
        if self._store is not None:
            self._store.define(self.topology.to_json(), self.context.port, self.started_at)

    def adopt(self, topology: Topology) -> None:
        """Take a topology for the one that the namespace has been made of (see `changes`)."""
        self.topology = topology
        self.refresh_faults()
        self.define()
        self.context.turns.end()

    def redescribe(self, entity: Queue) -> None:
        """Have it kept that the administration API knows something else of an entity."""
        if self._store is not None:
            self._store.redescribe(entity)

    # -- entities

    def reset(self) -> int:
        """Empty the namespace and clear its faults; connections and the deliveries of clients stay. Return the ledger's
        cursor."""
        self.context.tracker.forget()
        if self._faults is not None:
            self._faults.clear("reset")
        cursor = self.context.namespace.reset()
        self.context.turns.end()
        return cursor

    def purge(self, path: str) -> int:
        """Empty one entity; return how many messages went. Raises `EntityNotFound`."""
        count = self.context.namespace.entity(path).purge()
        self.context.turns.end()
        return count

    def remove(self, path: str) -> None:
        """Delete an entity with its messages; links to it are detached. Raises `EntityNotFound`."""
        namespace = self.context.namespace
        namespace.remove(namespace.entity(path))
        self.context.turns.end()

    def set_status(self, path: str, status: str) -> None:
        """Open or close an entity; receivers that may no longer receive are detached (S-77). Raises `BrokerError`."""
        entity = self.context.namespace.entity(path)
        entity.gate.set_status(status)
        if not entity.gate.receivable:
            self.context.detacher.receivers_of(entity)
        self.context.turns.end()

    def _forget(self, gone: list[Queue]) -> None:
        """Detach the links to entities that are no more, and forget what else was known of them."""
        context = self.context
        for queue in gone:
            self.records.pop(queue.name.lower(), None)
            context.tokens.set_rules(queue.name, ())
            context.namespace.ledger.forget_counts(queue.name)
            context.failures.forget(queue.name)
        context.detacher.links_to(gone)

    # -- faults

    def faults(self) -> Faults:
        """Return the faults of this namespace, to begin, list and clear them."""
        if self._faults is None:
            from .faults import Faults  # here: for the first test that wants one

            self._faults = Faults(self.context)
        return self._faults

    def refresh_faults(self) -> None:
        """Have faults stand in the way of new entities, too."""
        if self._faults is not None:
            self._faults.refresh()

    # -- counts

    def queues(self) -> list[dict[str, Any]]:
        """Count what every queue holds, and name who receives from it."""
        return [_counts(queue) for queue in self.context.namespace.queues.values()]

    def session(self, path: str, session_id: str) -> dict[str, Any]:
        """Tell of one message session: its state, and who holds it until when. Takes no lock. Raises `BrokerError`."""
        namespace = self.context.namespace
        return _session(namespace.entity(path), session_id, namespace.clock.now())

    def topics(self) -> list[dict[str, Any]]:
        """Tell of every topic what is scheduled on it, and of its subscriptions what `queues` tells of queues."""
        return [
            {
                "name": topic.name,
                "scheduled": topic.log.scheduled,
                "status": topic.gate.status,
                "subscriptions": [
                    {**_counts(subscription), "rules": [rule.name for rule in subscription.listed_rules()]}
                    for subscription in topic.subscriptions.values()
                ],
            }
            for topic in self.context.namespace.topics.values()
        ]


def _session(queue: Queue, session_id: str, now: float) -> dict[str, Any]:
    if queue.sessions is None:
        raise NotAllowed(f"'{queue.name}' has no sessions: it was made without RequiresSession.")
    session = queue.sessions.find(session_id)
    if session is None:
        return {"id": session_id, "exists": False, "locked": False}
    held = session.holder is not None and session.locked_until > now
    return {
        "id": session_id,
        "exists": True,
        "state_base64": None if session.state is None else base64.b64encode(session.state).decode(),
        "locked": held,
        "locked_until": session.locked_until if held else None,
        "holder": session.holder.facts() if held and session.holder is not None else None,
        "in_hand": len(session.locked),
    }


def _counts(queue: Queue) -> dict[str, Any]:
    dead = queue.dead_letters
    assert dead is not None
    return {
        "name": queue.name,
        "active": queue.log.active,
        "locked": queue.log.locked,
        "scheduled": queue.log.scheduled,
        "deferred": queue.log.deferred,
        "dead_letter": _held(dead),
        "transfer_dead_letter": _held(queue.transfer_dead_letters),
        "status": queue.gate.status,
        "receivers": [consumer.facts() for consumer in queue.dispatch.consumers],
        "consumers": sorted(queue.dispatch.asked),
    }


def _held(queue: Queue | None) -> int:
    return 0 if queue is None else queue.log.active + queue.log.locked + queue.log.deferred
