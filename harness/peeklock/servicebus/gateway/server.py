"""A namespace on a port: its listener, its connections and its timer."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from peeklock.servicebus.auth import TokenVerifier
from peeklock.servicebus.broker import Clock, Namespace, Queue
from peeklock.servicebus.settings import TopologyError
from peeklock.servicebus.store import StoreError
from peeklock.servicebus.topology import Topology

from .doorway import Doorway
from .hands import Hands
from .idle import LOOKS, detach_idle_links
from .limits import Limits
from .peer import Peer
from .pulse import Pulse

if TYPE_CHECKING:
    from peeklock.servicebus.issuer import Issuer
    from peeklock.servicebus.store.file import Store

    from .faults import Faults

Log = Callable[..., None]
READ_SIZE = 256 << 10
_LONGEST_SLEEP = 3600.0


def _silent(event: str, **fields: Any) -> None:
    """Log nothing."""


class Server:
    """Serves one namespace on loopback. Create and use it inside the event loop."""

    def __init__(
        self,
        name: str,
        topology: Topology,
        clock: Clock,
        *,
        host: str = "127.0.0.1",
        limits: Limits | None = None,
        log: Log | None = None,
        ledger_cap: int | None = None,
        store: Store | None = None,
        pulse: Pulse | None = None,
        issuer: Issuer | None = None,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        queues, topics = (topology.queues, topology.topics) if store is None else store.merged(topology)
        self.limits = limits or Limits()
        self.namespace = Namespace(
            name,
            queues,
            clock,
            topics=topics,
            ledger_cap=ledger_cap,
            max_entities=self.limits.entities,
        )
        self.namespace.on_deadline = self._wake_at
        self.namespace.on_gone = self._forget
        self.topology = topology
        self.started_at = clock.now()
        self.records: dict[str, Any] = {}
        """What the administration API knows of entities, by path in lower case."""
        identity = topology.identity
        if issuer is not None:
            from peeklock.servicebus.auth import ANYBODY, Identity, RoleAssignment

            identity = identity or Identity((RoleAssignment(ANYBODY, "Owner"),))
            identity = identity.issued_by(issuer.name, issuer.jwks())
        elif identity is not None and not identity.issuer:
            raise TopologyError("identity has no issuer", "give one with its jwks, or start the emulator's own")
        self.tokens = TokenVerifier(topology.access_rules, clock.now, identity)
        self.failure: StoreError | None = None
        """Why nothing is served any more."""
        self.on_failure: Callable[[], None] = lambda: None
        self.log: Log = log or _silent
        self.container_id = f"peeklock-{name}-{uuid.uuid4().hex[:8]}"
        self.peers: set[Peer] = set()
        self.hands = Hands(self)
        self.waiting: set[asyncio.Transport] = set()
        """Connections that speak no AMQP (yet)."""
        self._strangers: dict[asyncio.Transport, None] = {}
        self.opened = 0
        """How many AMQP connections there ever were."""
        self.errors: Counter[tuple[str, str]] = Counter()
        """How often what was refused, by entity ("" where there is none) and condition."""
        self.checks: list[Callable[[], str | None]] = []
        """What else has to be well: each returns what is wrong, or None."""
        self.ended: asyncio.Future[None] = self.loop.create_future()
        """Done when the server has stopped."""
        self._tasks: set[asyncio.Task[None]] = set()
        self.pulse = pulse or Pulse()
        self._owns_pulse = pulse is None
        self.faults: Faults | None = None
        """None until somebody has asked for a fault: `interfere` makes them."""
        self.dirty: list[Peer] = []
        self.read_buffer = memoryview(bytearray(READ_SIZE))
        self.port = 0
        self._host = host
        self._listener: asyncio.Server | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = float("inf")
        self._claims_until = float("inf")
        self._looking: asyncio.TimerHandle | None = None
        self._store = store
        if store is not None:
            self._restore(store)

    def _restore(self, store: Store) -> None:
        from .atom.entities import Record, access_rules

        before = store.definition()
        if before is not None:
            self.started_at = before.started_at
        for path, fields in store.records().items():
            self.records[path] = record = Record(**fields)
            self.tokens.set_rules(path, access_rules(path, record))

        def written(path: str) -> dict[str, Any] | None:
            record = self.records.get(path)
            return None if record is None else asdict(record)

        store.restore(self.namespace, written)

    async def start(self) -> int:
        """Listen; return the port. Raises `OSError` when the port is taken, and `StoreError`."""
        self._listener = await self._listen()
        self.port = self._listener.sockets[0].getsockname()[1]
        if self._store is not None:
            self._store.define(self.topology.to_json(), self.port, self.started_at)
        self._looking = self.loop.call_later(self.limits.link / LOOKS, self._look_for_idle_links)
        if self._owns_pulse:
            self.pulse.start()
        return self.port

    async def _listen(self) -> asyncio.Server:
        before = None if self._store is None or self.topology.port else self._store.definition()
        ports = [self.topology.port] if before is None else [before.port, 0]  # clients know the port of the last time
        for port in ports[:-1]:
            with suppress(OSError):
                return await self._listen_on(port)
        return await self._listen_on(ports[-1])

    async def _listen_on(self, port: int) -> asyncio.Server:
        return await self.loop.create_server(lambda: Doorway(self), self._host, port, backlog=1024, reuse_address=True)

    async def stop(self) -> None:
        """Close every connection and the port."""
        self.commit()
        if not self.ended.done():
            self.ended.set_result(None)
        if self._owns_pulse:
            self.pulse.stop()
        for task in list(self._tasks):
            task.cancel()
        for timer in (self._timer, self._looking):
            if timer is not None:
                timer.cancel()
        if self._listener is not None:
            self._listener.close()
        for peer in list(self.peers):
            peer.shut_down()
        for transport in list(self.waiting):
            transport.abort()
        for _ in range(3):  # let the transports tell their protocols
            await asyncio.sleep(0)
        if self._store is not None:
            self.commit()
            self._store.close()

    def commit(self) -> None:
        """Have everything kept that has happened by now: nobody is told of it before."""
        if self._store is None or self.failure is not None:
            return
        try:
            self._store.commit()
        except StoreError as error:
            self._fail(error)

    def _fail(self, error: StoreError) -> None:
        """Nothing can be kept any more: hang up without an answer, so that no client takes for done what is not."""
        self.failure = error
        self.log("store.failed", problem=error.problem, fix=error.fix)
        if self._listener is not None:
            self._listener.close()
        for peer in list(self.peers):
            peer.abort()
        for transport in list(self.waiting):
            transport.abort()
        self.on_failure()

    def forget(self) -> None:
        """Delete what was kept of a namespace that has stopped."""
        if self._store is not None:
            self._store.delete()

    def background(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something in a task of its own, which ends with the server."""
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # -- how many there may be

    def meet(self, transport: asyncio.Transport) -> None:
        """Note a connection of which nobody knows yet whose it is. When there are too many, the oldest is hung up on: who
        has a token shows it at once, and is not kept out by those who have none."""
        self._strangers[transport] = None
        if len(self._strangers) > self.limits.strangers:
            oldest = next(iter(self._strangers))
            del self._strangers[oldest]
            self.log("connection.aborted", reason="too many connections without a token")
            oldest.abort()

    def know(self, transport: asyncio.Transport) -> None:
        """A connection has shown a token, or is no more."""
        self._strangers.pop(transport, None)

    @property
    def crowded(self) -> bool:
        """True when there are more connections than the namespace takes."""
        return len(self.peers) + len(self.waiting) > self.limits.connections

    def crowd_text(self) -> str:
        """Say why a connection is refused."""
        return (
            f"ConnectionsQuotaExceeded for namespace: {self.namespace.name}. It has {self.limits.connections} connections, "
            "as many as it takes: close some."
        )

    def problems(self) -> list[str]:
        """Return what keeps this namespace from working; nothing when all is well."""
        found = [problem for check in self.checks if (problem := check()) is not None]
        if self._listener is None or not self._listener.is_serving():
            found.insert(0, f"nobody listens on port {self.port}")
        if self.failure is not None:
            found.append(f"the store cannot be written: {self.failure.problem}")
        return found

    def failed(self, condition: str, entity: str = "") -> None:
        """Count a refusal."""
        self.errors[entity, condition] += 1

    def flush(self, peer: Peer | None = None) -> None:
        """End a turn: keep what has changed, then one write for each connection that has something to say."""
        if self._store is not None:
            self.commit()
        if peer is not None:
            peer.flush()
        while self.dirty:
            dirty, self.dirty = self.dirty, []
            for other in dirty:
                if other.dirty:
                    other.flush()
        for event in self.hands.waiting:
            event.set()

    def _look_for_idle_links(self) -> None:
        detach_idle_links(self.peers, self.loop.time(), self.limits.link)
        self.flush()
        self._looking = self.loop.call_later(self.limits.link / LOOKS, self._look_for_idle_links)

    def reset(self) -> int:
        """Empty the namespace and clear its faults; connections stay, and what clients have in hand."""
        self.hands.forget()
        if self.faults is not None:
            self.faults.clear("reset")
        cursor = self.namespace.reset()
        self.flush()
        return cursor

    def interfere(self) -> Faults:
        """Return the faults of this namespace, to begin, list and clear them."""
        if self.faults is None:
            from .faults import Faults  # here: for the first test that wants one

            self.faults = Faults(self)
        return self.faults

    def purge(self, path: str) -> int:
        """Empty one entity; return how many messages went. Raises `EntityNotFound`."""
        count = self.namespace.entity(path).purge()
        self.flush()
        return count

    def watch_claim(self, expires: float) -> None:
        """See to it that tokens are looked at when one expires (epoch seconds)."""
        if expires < self._claims_until:
            self._claims_until = expires
            self._wake_at(expires)

    def run_due(self) -> None:
        """Do what the clock asks for: also called after the clock was moved."""
        self._timer_at = float("inf")
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.namespace.run_due()
        now = self.namespace.clock.now()
        if self._claims_until <= now:
            for peer in list(self.peers):
                peer.check_claims()
            left = [claim.expires for peer in self.peers for claim in peer.claims]
            self._claims_until = min(left, default=float("inf"))
        self.flush()
        due = self.namespace.next_due()
        self._wake_at(min(self._claims_until, float("inf") if due is None else due))

    def _wake_at(self, when: float) -> None:
        if when >= self._timer_at or when == float("inf"):
            return
        self._timer_at = when
        if self._timer is not None:
            self._timer.cancel()
        delay = min(max(0.0, when - self.namespace.clock.now()), _LONGEST_SLEEP)
        self._timer = self.loop.call_later(delay, self.run_due)

    def entities(self) -> list[dict[str, Any]]:
        """Count what every queue holds, and name who receives from it."""
        return [_counts(queue) for queue in self.namespace.queues.values()]

    def topics(self) -> list[dict[str, Any]]:
        """Tell of every topic what is scheduled on it, and of its subscriptions what `entities` tells of queues."""
        return [
            {
                "name": topic.name,
                "scheduled": topic.scheduled_count,
                "status": topic.status,
                "subscriptions": [
                    {**_counts(subscription), "rules": [rule.name for rule in subscription.listed_rules()]}
                    for subscription in topic.subscriptions.values()
                ],
            }
            for topic in self.namespace.topics.values()
        ]

    def adopt(self, topology: Topology) -> None:
        """Take a topology for the one that the namespace has been made of (see `changes`)."""
        self.topology = topology
        if self.faults is not None:
            self.faults.refresh()
        if self._store is not None:
            self._store.define(topology.to_json(), self.port, self.started_at)
        self.flush()

    def redescribe(self, entity: Queue) -> None:
        """Have it kept that the administration API knows something else of an entity."""
        if self._store is not None:
            self._store.redescribe(entity)

    def remove(self, path: str) -> None:
        """Delete an entity with its messages; links to it are detached. Raises `EntityNotFound`."""
        self.namespace.remove(self.namespace.entity(path))
        self.flush()

    def _forget(self, gone: list[Queue]) -> None:
        """Detach the links to entities that are no more, and forget what else was known of them."""
        for queue in gone:
            self.records.pop(queue.name.lower(), None)
            self.tokens.set_rules(queue.name, ())
            self.namespace.ledger.forget_counts(queue.name)
            for key in [key for key in self.errors if key[0] == queue.name]:
                del self.errors[key]
        for peer in list(self.peers):
            peer.detach_from(gone)

    def set_status(self, path: str, status: str) -> None:
        """Open or close an entity; receivers that may no longer receive are detached (S-77). Raises `BrokerError`."""
        entity = self.namespace.entity(path)
        entity.set_status(status)
        if not entity.receivable:
            for peer in list(self.peers):
                peer.detach_receivers(entity)
        self.flush()


def _counts(queue: Queue) -> dict[str, Any]:
    dead = queue.dead_letters
    assert dead is not None
    return {
        "name": queue.name,
        "active": queue.active,
        "locked": queue.locked_count,
        "scheduled": queue.scheduled_count,
        "deferred": queue.deferred,
        "dead_letter": _held(dead),
        "transfer_dead_letter": _held(queue.transfer_dead_letters),
        "status": queue.status,
        "receivers": [consumer.facts() for consumer in queue.consumers],
    }


def _held(queue: Queue | None) -> int:
    return 0 if queue is None else queue.active + queue.locked_count + queue.deferred
