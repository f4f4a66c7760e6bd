"""One client's connection: the AMQP engine on an asyncio transport."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from peeklock.servicebus.amqp import Caps, Connection, Link
from peeklock.servicebus.amqp import events as ev
from peeklock.servicebus.amqp.errors import CONNECTION_FORCED, INTERNAL_ERROR, RESOURCE_LIMIT, AmqpError
from peeklock.servicebus.amqp.frames import TRANSACTIONAL
from peeklock.servicebus.auth import Claim, Claims

from . import admission, coordinator, settlement
from .client_connection import TransactionScope
from .connections import in_tls
from .context import NamespaceContext
from .failures import INTERNAL_TEXT
from .output_buffer import UNAUTHENTICATED_UNREAD_LIMIT, OutputBuffer
from .ports import LinkHandler

PARTING = 1.0
"""How many seconds a client has to read why its connection is closed."""
UNAUTHENTICATED = Caps(sessions=16, links=64, unfinished=256 << 10)
"""What a connection may have before it has shown a token."""


class AmqpConnection:
    """Feeds the engine, hands its events to the handlers of links, and writes once a turn. One that is `crowded` is told
    that there are too many, and nothing else."""

    def __init__(self, context: NamespaceContext, *, crowded: bool = False) -> None:
        self.context = context
        self.amqp = Connection(server=True, container_id=context.container_id, idle_timeout=context.limits.heartbeat)
        self.amqp.caps = UNAUTHENTICATED
        self.number = 0
        self.claims = Claims(context.namespace.clock.now)
        self.handlers: dict[int, LinkHandler] = {}
        self.scopes: dict[int, TransactionScope] = {}
        self.output = OutputBuffer()
        self.dirty = False
        self.had_link = False
        self._crowded = crowded
        self._transport: asyncio.Transport | None = None
        self._connected_at = self._active_at = context.loop.time()
        self._active = False
        self._timer: asyncio.TimerHandle | None = None
        self._parting: asyncio.TimerHandle | None = None

    @property
    def name(self) -> str:
        """The client's container id."""
        return self.amqp.remote_container_id

    # -- the transport

    def opened(self, transport: asyncio.Transport) -> None:
        """Take a transport over."""
        self._transport = transport
        self.output.is_open = True
        transport.set_write_buffer_limits(high=UNAUTHENTICATED_UNREAD_LIMIT)
        self.number = self.context.connections.add(self)
        self.context.connections.unauthenticated(transport, tls=in_tls(transport))
        self._tick()

    def lost(self) -> None:
        """The client has gone: its links leave their queues, its locks stay."""
        if self._transport is not None:
            self.context.connections.authenticated(self._transport)
        self._transport = None
        self.output.is_open = False
        self.context.connections.amqp.discard(self)
        self.context.connections.handshakes.gone(self)
        for timer in (self._timer, self._parting):
            if timer is not None:
                timer.cancel()
        for link in list(self.handlers):
            self._close_handler(link)

    def pause(self) -> None:
        """The client reads too slowly: its receivers get nothing more for now."""
        self.output.paused = True

    def resume(self) -> None:
        """The client has caught up."""
        self.output.paused = False
        self._resume_links()

    def feed(self, data: bytes) -> None:
        """Act on bytes that the client has sent."""
        self._handle(self.amqp.receive(data))
        self.context.turns.input_handled(self)

    # -- writing

    def touch(self) -> None:
        """Note that there is something to write at the end of the turn."""
        self.context.turns.touch(self)

    def flush(self) -> None:
        """Write what the engine has for the client."""
        self.dirty = False
        transport = self._transport
        if transport is None:
            return
        if not self.output.write(transport, self.amqp.take_output()):
            self.context.log("connection.aborted", reason="the client does not read", peer=self.name)
            transport.abort()
        elif self.amqp.closed:
            self._part(transport)
        elif self.output.stalled and not self.output.paused:
            self.context.loop.call_soon(self._resume_links)

    def _part(self, transport: asyncio.Transport) -> None:
        """Close once the client has closed, too: with words of its unread, the kernel would take back our last ones."""
        if self._parting is not None:
            return
        if not transport.can_write_eof():
            transport.close()
            return
        try:
            transport.write_eof()
        except OSError:  # the client has gone already, and its transport has not told yet
            transport.abort()
            return
        self._parting = self.context.loop.call_later(PARTING, transport.abort)

    def _resume_links(self) -> None:
        """Let those links go on that had to wait for the connection's output."""
        if not self.output.stalled or self._transport is None:
            return
        self.output.stalled = False
        for handler in list(self.handlers.values()):
            handler.on_credit()
        self.context.turns.input_handled(self)

    # -- events

    def _handle(self, events: list[ev.Event]) -> None:
        """Act on what the engine has read."""
        if self.amqp.close_sent:
            self.output.is_open = False
            if self._crowded:
                return
        try:
            for event in events:
                kind = type(event)
                if kind is ev.Delivery:
                    assert isinstance(event, ev.Delivery)
                    if (handler := self.handlers.get(event.link)) is not None:
                        handler.on_delivery(event)
                elif kind is ev.Outcome:
                    assert isinstance(event, ev.Outcome)
                    if event.code == TRANSACTIONAL:
                        coordinator.settle(self, event)
                    else:
                        settlement.settle(self, event)
                elif kind is ev.Credit:
                    assert isinstance(event, ev.Credit)
                    if (handler := self.handlers.get(event.link)) is not None:
                        handler.on_credit()
                else:
                    self._act(event)
        except Exception as error:  # noqa: BLE001 -- the client is told, the log knows where, and others go on
            self.context.failures.unforeseen(error, f"what {self.name or 'a client'} has said")
            self.hang_up(AmqpError(INTERNAL_ERROR, INTERNAL_TEXT))
        self._active = self._active or bool(events)

    def _act(self, event: ev.Event) -> None:
        """Act on an event that is none of a message's."""
        if isinstance(event, ev.LinkAttached):
            if (link := self.amqp.links.get(event.link)) is not None:
                admission.attach(self, link)
        elif isinstance(event, ev.LinkDetached):
            self._close_handler(event.link)
        elif isinstance(event, ev.SessionEnded):
            self.scopes.pop(event.session, None)
        elif isinstance(event, ev.SaslInit):
            self._authenticate(event)
        elif isinstance(event, ev.Opened):
            self._schedule_tick(0.0)
            if self._crowded:
                self.context.failures.count(RESOURCE_LIMIT)
                self.hang_up(AmqpError(RESOURCE_LIMIT, self.context.connections.crowd_text()))
        elif isinstance(event, ev.Closed) and event.error is not None:
            self.context.log("connection.closed", peer=self.name, condition=event.error.condition)

    def later(self, act: Callable[[], None]) -> None:
        """Do what was held back, unless the client has gone meanwhile."""
        if self._transport is not None:
            act()
            self.touch()

    # -- claims

    def _authenticate(self, event: ev.SaslInit) -> None:
        if event.mechanism != "PLAIN":
            self.amqp.sasl_outcome(event.mechanism in self.amqp.mechanisms)
            return
        _, _, rest = event.response.partition(b"\0")
        user, _, password = rest.partition(b"\0")
        claims = self.context.tokens.password(user.decode("utf-8", "replace"), password.decode("utf-8", "replace"))
        for claim in claims:
            self.claims.add(claim)
        if claims:
            self._become_authenticated()
        else:
            self.context.log(
                "token.refused",
                reason=f"no access rule '{user[:50].decode('utf-8', 'replace')}' with that password",
                peer="SASL PLAIN",
            )
        self.amqp.sasl_outcome(bool(claims))

    def add_claim(self, claim: Claim) -> bool:
        """Keep what a token allows; return whether it renews an earlier one."""
        renewed = self.claims.add(claim)
        self._become_authenticated()
        self.context.timer.watch_claim(claim.expires)
        return renewed

    def _become_authenticated(self) -> None:
        self.amqp.caps = Caps()
        self.output.trust(self._transport)
        if self._transport is not None:
            self.context.connections.authenticated(self._transport)

    # -- links

    def refuse(self, link: Link, error: AmqpError, entity: str = "") -> None:
        """Answer an attach with the reason why not (S-7)."""
        self.context.failures.count(error.condition, entity)
        self.context.log("link.refused", peer=self.name, link=link.name, condition=error.condition)
        link.refuse(error)

    def drop(self, handler: LinkHandler, error: AmqpError) -> None:
        """Take one link down, or refuse one that waits for its answer still; tell the client why."""
        link = handler.link
        self._close_handler(link.id)
        if link.attach_sent:
            link.detach(error)
        else:
            self.refuse(link, error)
        self.touch()

    def _close_handler(self, link: int) -> None:
        handler = self.handlers.pop(link, None)
        if handler is not None:
            handler.close()

    # -- time

    def _schedule_tick(self, delay: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.context.loop.call_later(delay, self._tick)

    def _tick(self) -> None:
        """Keep the connection alive, or end it when it has been silent or useless for too long (S-4, S-5)."""
        if self._transport is None:
            return
        now = self.context.loop.time()
        if self._active:
            self._active, self._active_at = False, now
        due = self.amqp.tick(now)
        limit = self._idle_limit()
        since = self._active_at if self.had_link else self._connected_at
        if due is not None and now - since >= limit:
            self._close_idle(limit)
            due = None
        elif due is not None:
            due = min(due, since + limit)
        self._handle(self.amqp.receive(b""))
        self.context.turns.input_handled(self)
        if due is not None:
            self._schedule_tick(max(0.001, due - now))
        elif self._transport is not None and self.amqp.closed:
            self._transport.close()

    def _idle_limit(self) -> float:
        if not self.had_link:
            return self.context.limits.unauthenticated
        if any(handler.waits for handler in self.handlers.values()):
            return float("inf")  # a receiver that waits for messages, or for a session, is not idle
        return self.context.limits.connection

    def _close_idle(self, limit: float) -> None:
        """Close a connection that does nothing (S-5)."""
        text = (
            f"The connection was inactive for more than the allowed {limit * 1000:.0f} milliseconds "
            "and is closed by container 'LinkTracker'."
        )
        self.hang_up(AmqpError(CONNECTION_FORCED, text))

    # -- the end

    def hang_up(self, error: AmqpError, *, at_once: bool = False) -> None:
        """Close the connection and tell why; the client has a moment to read it, unless `at_once`."""
        self.amqp.close(error)
        self.output.is_open = False
        self.context.turns.commit()  # among its last words may be answers
        self.flush()
        if self._transport is not None:
            # what the client still says is of no interest
            if at_once:
                self._transport.close()
            else:
                self.context.loop.call_later(0.2, self._transport.close)

    def abort(self) -> None:
        """Break the connection without a word."""
        if self._transport is not None:
            self._transport.abort()


class AmqpProtocol(asyncio.BufferedProtocol):
    """What asyncio sees of a connection on TCP or TLS."""

    def __init__(self, connection: AmqpConnection) -> None:
        self._connection = connection
        self._buffer = connection.context.read_buffer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport over."""
        assert isinstance(transport, asyncio.Transport)
        self._connection.opened(transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """The client has gone."""
        self._connection.lost()

    def pause_writing(self) -> None:
        """The client reads too slowly."""
        self._connection.pause()

    def resume_writing(self) -> None:
        """The client has caught up."""
        self._connection.resume()

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002
        """Lend the one read buffer: asyncio fills it and calls `buffer_updated` before it asks again."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Act on what has come."""
        self._connection.feed(bytes(self._buffer[:nbytes]))

    def eof_received(self) -> None:
        """Close with the client."""
