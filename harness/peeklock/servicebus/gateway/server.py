"""A namespace on a port."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from peeklock.servicebus.amqp import AmqpError
from peeklock.servicebus.amqp.errors import CONNECTION_FORCED
from peeklock.servicebus.auth import TokenVerifier
from peeklock.servicebus.broker import Clock, Namespace
from peeklock.servicebus.loopback import is_loopback
from peeklock.servicebus.settings import TopologyError
from peeklock.servicebus.store import StoreError
from peeklock.servicebus.topology import Topology

from .administration import Administration
from .connections import Connections
from .context import NamespaceContext
from .detaching import LOOKS
from .failures import errors_only
from .limited_log import LimitedLog
from .limits import Limits
from .listener import Listener
from .loop_monitor import LoopMonitor
from .ports import Log
from .protocol_detector import ProtocolDetector
from .turns import TurnScheduler

if TYPE_CHECKING:
    from peeklock.servicebus.auth import Identity
    from peeklock.servicebus.issuer import Issuer
    from peeklock.servicebus.store.file import Store


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
        monitor: LoopMonitor | None = None,
        issuer: Issuer | None = None,
        any_key: bool = False,
        on_failure: Callable[[], None] = lambda: None,
    ) -> None:
        limits, log = limits or Limits(), LimitedLog(errors_only if log is None else log)
        queues, topics = (topology.queues, topology.topics) if store is None else store.merged(topology)
        self.namespace = Namespace(
            name,
            queues,
            clock,
            topics=topics,
            ledger_cap=ledger_cap,
            max_entities=limits.entities,
        )
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when the server has stopped."""
        self.context = NamespaceContext(
            self.namespace,
            container_id=f"peeklock-{name}-{uuid.uuid4().hex[:8]}",
            tokens=TokenVerifier(topology.access_rules, clock.now, _identity(topology, issuer), any_key=any_key),
            limits=limits,
            log=log,
            connections=Connections(name, limits, log),
            turns=TurnScheduler(store, self._fail, asyncio.get_running_loop().call_soon),
            monitor=monitor or LoopMonitor(),
            own_machine=is_loopback(host),
        )
        self.administration = Administration(self.context, topology, store)
        self._owns_monitor = monitor is None
        self._on_failure = on_failure
        self._host = host
        self._store = store
        self._listener = Listener(self.context, self.protocol)
        self._beside: list[Listener] = []
        self._looking: asyncio.TimerHandle | None = None
        self.context.checks.append(self._problem)
        if store is not None:
            self._restore(store)

    @property
    def port(self) -> int:
        """The port on which it listens, once it does."""
        return self.context.port

    @property
    def failure(self) -> StoreError | None:
        """Why nothing is served any more."""
        return self.context.turns.failure

    def protocol(self) -> asyncio.Protocol:
        """Make the protocol of one new connection."""
        return ProtocolDetector(self.context, self._http)

    def _http(self) -> asyncio.Protocol:
        # here: AMQP clients need nothing of it
        from peeklock.servicebus.http import HttpConnection

        from .rest import RestService

        return HttpConnection(RestService(self.context, self.administration))

    # -- start and end

    def _restore(self, store: Store) -> None:
        from .admin.entities import Record, access_rules  # here: for namespaces that are kept

        administration = self.administration
        before = store.definition()
        if before is not None:
            administration.started_at = before.started_at
        for path, fields in store.records().items():
            administration.records[path] = record = Record(**fields)
            self.context.tokens.set_rules(path, access_rules(path, record))

        def written(path: str) -> dict[str, Any] | None:
            record = administration.records.get(path)
            return None if record is None else asdict(record)

        store.restore(self.namespace, written)

    async def start(self) -> int:
        """Listen; return the port. Raises `OSError` when the port is taken, and `StoreError`."""
        self._listen()
        self.context.port = self._listener.port
        self.administration.define()
        self._look_later()
        if self._owns_monitor:
            self.context.monitor.start()
        return self.port

    def _listen(self) -> None:
        wanted = self.administration.topology.port
        before = None if self._store is None or wanted else self._store.definition()
        if before is not None:  # clients know the port of the last time
            with suppress(OSError):
                self._listener.start(self._host, before.port)
                return
        self._listener.start(self._host, wanted)

    def listen_beside(self, port: int) -> int:
        """Serve the same on another port, too; return it. Raises `OSError` when it is taken."""
        listener = Listener(self.context, self.protocol)
        listener.start(self._host, port)
        self._beside.append(listener)
        return listener.port

    async def stop(self) -> None:
        """Close every connection and the port."""
        self.context.turns.commit()
        if not self.ended.done():
            self.ended.set_result(None)
        if self._owns_monitor:
            self.context.monitor.stop()
        if self._looking is not None:
            self._looking.cancel()
        self._close_ports()
        self.context.stop()
        for connection in list(self.context.connections.amqp):
            connection.hang_up(AmqpError(CONNECTION_FORCED, "The server is shutting down."), at_once=True)
        for other in list(self.context.connections.other):
            other.abort()
        for _ in range(3):  # let the transports tell their protocols
            await asyncio.sleep(0)
        if self._store is not None:
            self.context.turns.commit()
            self._store.close()

    def forget(self) -> None:
        """Delete what was kept of a namespace that has stopped."""
        if self._store is not None:
            self._store.delete()

    def _fail(self, error: StoreError) -> None:
        """Nothing can be kept any more: hang up without an answer, so that no client takes for done what is not."""
        self.context.log("store.failed", level="error", problem=error.problem, fix=error.fix)
        self._close_ports()
        self.context.connections.abort()
        self._on_failure()

    def _close_ports(self) -> None:
        for listener in (self._listener, *self._beside):
            listener.stop()

    def _problem(self) -> str | None:
        if self.failure is not None:
            return f"the store cannot be written: {self.failure.problem}"
        return None if self._listener.listening else f"nobody listens on port {self.port}"

    # -- time

    async def hold(self, seconds: float) -> bool:
        """Let nobody begin to come in, and wait until nobody is on the way in, for at most so many seconds; return whether that came."""
        for listener in (self._listener, *self._beside):
            listener.hold()
        return await self.context.connections.handshakes.finish(seconds)

    def release(self) -> None:
        """Let clients in again."""
        for listener in (self._listener, *self._beside):
            listener.release()

    def run_due(self) -> None:
        """Do what the clock asks for: call it after the clock was moved."""
        self.context.timer.run_due()

    def _look_later(self) -> None:
        loop, limit = self.context.loop, self.context.limits.link
        self._looking = loop.call_later(limit / LOOKS, self._look_for_idle_links)

    def _look_for_idle_links(self) -> None:
        self.context.detacher.idle(self.context.loop.time(), self.context.limits.link)
        self.context.turns.end()
        self._look_later()


def _identity(topology: Topology, issuer: Issuer | None) -> Identity | None:
    """Return whose Entra tokens are taken: nobody's without an identity. Raises `TopologyError` when nobody signs them."""
    identity = topology.identity
    if identity is None or identity.issuer:
        return identity
    if issuer is None:
        raise TopologyError("identity has no issuer", "give one with its jwks, or start the emulator's own")
    return identity.issued_by(issuer.name, issuer.jwks())
