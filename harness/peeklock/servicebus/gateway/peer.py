"""One client's connection: the engine on an asyncio transport, and what the client may do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

from peeklock.servicebus.amqp import Caps, Connection, Link
from peeklock.servicebus.amqp import events as ev
from peeklock.servicebus.amqp.errors import (
    CONNECTION_FORCED,
    RESOURCE_LIMIT,
    UNAUTHORIZED,
    AmqpError,
)
from peeklock.servicebus.amqp.frames import TRANSACTIONAL
from peeklock.servicebus.amqp.transactions import transaction_of
from peeklock.servicebus.auth import Claim, covers
from peeklock.servicebus.broker import Queue
from peeklock.servicebus.broker.errors import EntityDisabled, EntityNotFound

from . import links
from .tracking import tracked

if TYPE_CHECKING:
    from peeklock.servicebus.broker.transaction import Transaction

    from .coordinator import TransactedSession
    from .server import Server

HIGH_WATER = 1 << 20
PARTING = 1.0
"""How many seconds a client has to read why its connection is closed."""
UNREAD_LIMIT = 64 << 20
STRANGER_UNREAD_LIMIT = 128 << 10
STRANGER = Caps(sessions=16, links=64, unfinished=256 << 10)
"""What a connection may have before it has shown a token."""


class Peer(asyncio.BufferedProtocol):
    """Feeds the engine, acts on its events, and writes once a turn."""

    def __init__(self, server: Server, *, crowded: bool = False) -> None:
        """`crowded`: it is told that there are too many, and nothing else."""
        self.server = server
        self._crowded = crowded
        limits = server.limits
        self.amqp = Connection(server=True, container_id=server.container_id, idle_timeout=limits.heartbeat)
        self.amqp.caps = STRANGER
        self.transport: asyncio.Transport | None = None
        self.number = 0
        """Which of the connections that the namespace was ever asked for it is: 1 is the first."""
        self.claims: list[Claim] = []
        self.handlers: dict[int, Any] = {}
        """What acts on a link, by the link's id."""
        self.transacted: dict[int, TransactedSession] = {}
        """Sessions with a coordinator link, by their ids."""
        self.paused = False
        self.stalled = False
        self.unsent = 0
        self.replies = 0
        """How much of `unsent` are replies: of them the client may ask for more than it reads."""
        self._outgoing = 0
        self.dirty = False
        self.had_link = False
        now = server.loop.time()
        self.connected_at = self.active_at = now
        self.active = False
        self._timer: asyncio.TimerHandle | None = None
        self._parting: asyncio.TimerHandle | None = None

    # -- asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport over."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.set_write_buffer_limits(high=STRANGER_UNREAD_LIMIT)
        self.server.peers.add(self)
        self.server.opened += 1
        self.number = self.server.opened
        self.server.meet(transport)
        self._tick()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """The client has gone: its links leave their queues, its locks stay."""
        if self.transport is not None:
            self.server.know(self.transport)
        self.transport = None
        self.server.peers.discard(self)
        for timer in (self._timer, self._parting):
            if timer is not None:
                timer.cancel()
        for link in list(self.handlers):
            self._close_link(link)

    def pause_writing(self) -> None:
        """The client reads too slowly: its receivers get nothing more for now."""
        self.paused = True

    def resume_writing(self) -> None:
        """The client has caught up."""
        self.paused = False
        self.unstall()

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002
        """Lend the server's one read buffer: asyncio fills it and calls `buffer_updated` before it asks again."""
        return self.server.read_buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Parse all frames that are there, act on them, and write once on every connection that has something to say."""
        self.feed(bytes(self.server.read_buffer[:nbytes]))

    def feed(self, data: bytes) -> None:
        """Act on bytes that the client has sent."""
        self.handle(self.amqp.receive(data))
        self.server.flush(self)

    def eof_received(self) -> None:
        """Close with the client."""

    # -- turns

    def touch(self) -> None:
        """Note that this connection has something to write at the end of the turn."""
        if not self.dirty:
            self.dirty = True
            self.server.dirty.append(self)

    def flush(self) -> None:
        """Write what the engine has for the client."""
        self.dirty = False
        transport = self.transport
        if transport is None:
            return
        raw = self.amqp.take_output()
        if not self.paused:
            self._outgoing = 0
        # one message alone may be longer than what may stay unread; the next one waits for it
        self._outgoing += self.unsent - self.replies
        self.unsent = self.replies = 0
        if raw:
            transport.write(raw)
            limit = UNREAD_LIMIT if self.claims else STRANGER_UNREAD_LIMIT
            if self.paused and transport.get_write_buffer_size() - self._outgoing > limit:
                self.server.log("connection.aborted", reason="the client does not read", peer=self.name)
                transport.abort()
                return
        if self.amqp.closed:
            self._part(transport)
        elif self.stalled and not self.paused:
            self.server.loop.call_soon(self.unstall)

    def _part(self, transport: asyncio.Transport) -> None:
        """Close once the client has closed, too: with words of its unread, the kernel would take back our last ones."""
        if self._parting is not None:
            return
        if not transport.can_write_eof():
            transport.close()
            return
        transport.write_eof()
        self._parting = self.server.loop.call_later(PARTING, transport.abort)

    def unstall(self) -> None:
        """Serve the receivers that had to wait for the connection's output."""
        if not self.stalled or self.transport is None:
            return
        self.stalled = False
        for handler in list(self.handlers.values()):
            if isinstance(handler, links.Outlet):
                handler.on_credit()
        self.server.flush(self)

    @property
    def name(self) -> str:
        """The client's container id, for logs."""
        return self.amqp.remote_container_id

    # -- events

    def handle(self, events: list[ev.Event]) -> None:
        """Act on what the engine has read."""
        if self._crowded and self.amqp.close_sent:
            return
        for event in events:
            kind = type(event)
            if kind is ev.Delivery:
                assert isinstance(event, ev.Delivery)
                if (handler := self.handlers.get(event.link)) is not None:
                    handler.on_delivery(event)
            elif kind is ev.Outcome:
                assert isinstance(event, ev.Outcome)
                if event.code == TRANSACTIONAL:
                    from . import coordinator

                    coordinator.settle(self, event)
                else:
                    links.settle(event, self)
            elif kind is ev.Credit:
                assert isinstance(event, ev.Credit)
                if (handler := self.handlers.get(event.link)) is not None:
                    handler.on_credit()
            elif isinstance(event, ev.LinkAttached):
                from . import admission  # here: the first answer to a client does not wait for it

                if (link := self.amqp.links.get(event.link)) is not None:
                    admission.attach(self, link)
            elif isinstance(event, ev.LinkDetached):
                self._close_link(event.link)
            elif isinstance(event, ev.SessionEnded):
                self.transacted.pop(event.session, None)
            elif isinstance(event, ev.SaslInit):
                self._authenticate(event)
            elif isinstance(event, ev.Opened):
                self._schedule_tick(0.0)
                if self._crowded:
                    self.server.failed(RESOURCE_LIMIT)
                    self.hang_up(AmqpError(RESOURCE_LIMIT, self.server.crowd_text()))
                    return
            elif isinstance(event, ev.Closed) and event.error is not None:
                self.server.log("connection.closed", peer=self.name, condition=event.error.condition)
        self.active = self.active or bool(events)

    def later(self, act: Callable[[], None]) -> None:
        """Do what was held back, unless the client has gone meanwhile."""
        if self.transport is not None:
            act()
            self.touch()

    def _authenticate(self, event: ev.SaslInit) -> None:
        if event.mechanism == "PLAIN":
            _, _, rest = event.response.partition(b"\0")
            user, _, password = rest.partition(b"\0")
            self.claims = self.server.tokens.password(
                user.decode("utf-8", "replace"), password.decode("utf-8", "replace")
            )
            if self.claims:
                self._become_known()
            self.amqp.sasl_outcome(bool(self.claims))
        else:
            self.amqp.sasl_outcome(event.mechanism in self.amqp.mechanisms)

    # -- links

    def transaction_of(self, event: ev.Delivery) -> Transaction | None:
        """Return the transaction that a message names. Raises `UnknownTransaction` when it is not open (S-75)."""
        id_ = transaction_of(event.state)
        return None if id_ is None else self.server.namespace.transactions.get(id_, self)

    def refuse(self, link: Link, error: AmqpError, entity: str = "") -> None:
        """Answer an attach with the reason why not (S-7)."""
        self.server.failed(error.condition, entity)
        self.server.log("link.refused", peer=self.name, link=link.name, condition=error.condition)
        link.refuse(error)

    def answer(self, event: ev.Outcome, state: bytes) -> None:
        """Tell a receiver what became of its disposition: `state` is encoded."""
        if (session := self.amqp.sessions.get(event.session)) is not None:
            session.settle_sent(event.first, event.last, state)

    def _close_link(self, link: int) -> None:
        handler = self.handlers.pop(link, None)
        if handler is not None:
            handler.close()

    def drop(self, link: Link, error: AmqpError) -> None:
        """Detach a link, or refuse one that waits for its answer still."""
        self._close_link(link.id)
        if link.attach_sent:
            link.detach(error)
        else:
            self.refuse(link, error)
        self.touch()

    def detach_receivers(self, queue: Queue) -> None:
        """Detach the receivers of an entity that was disabled (S-77)."""
        for handler in list(self.handlers.values()):
            if isinstance(handler, links.Outlet) and handler.queue is queue:
                text = f"Messaging entity '{queue.name}' is currently disabled for receiving."
                text = tracked(text, self.server.namespace.name, queue.name)
                self.drop(handler.link, AmqpError(EntityDisabled.condition, text))

    def detach_from(self, gone: Collection[Queue]) -> None:
        """Detach every link to entities that are no more."""
        for handler in list(self.handlers.values()):
            queue = getattr(handler, "queue", None)
            if queue in gone and isinstance(queue, Queue):
                text = f"The messaging entity '{queue.name}' could not be found: it was deleted."
                text = tracked(text, self.server.namespace.name, queue.name)
                self.drop(handler.link, AmqpError(EntityNotFound.condition, text))

    # -- claims

    def allows(self, path: str, right: str) -> bool:
        """True when a token that still holds gives `right` on the entity at `path`."""
        return self.principal(path, right) is not None

    def principal(self, path: str, right: str) -> str | None:
        """Return the name of the rule by which `right` is given on the entity at `path`; None where it is not."""
        now = self.server.namespace.clock.now()
        lowered = path.lower()
        for claim in self.claims:
            if right in claim.rights and claim.expires > now and covers(claim.scope, lowered):
                return claim.principal
        return None

    def authorized_until(self, path: str, right: str) -> float:
        """Return when the last token that gives `right` on the entity at `path` expires (epoch seconds; 0.0: there is none)."""
        lowered = path.lower()
        return max((c.expires for c in self.claims if right in c.rights and covers(c.scope, lowered)), default=0.0)

    def add_claim(self, claim: Claim) -> bool:
        """Keep a claim; it takes the place of an earlier one for the same scope. Returns whether there was one."""
        others = [other for other in self.claims if other.scope != claim.scope]
        renewed = len(others) < len(self.claims)
        self.claims = [*others, claim]
        self._become_known()
        self.server.watch_claim(claim.expires)
        return renewed

    def _become_known(self) -> None:
        """It has shown who it is: it may have as much as others."""
        self.amqp.caps = Caps()
        if self.transport is not None:
            self.transport.set_write_buffer_limits(high=HIGH_WATER)
            self.server.know(self.transport)

    def check_claims(self) -> None:
        """Detach every data link for which no token holds any more (S-24)."""
        now = self.server.namespace.clock.now()
        kept = [claim for claim in self.claims if claim.expires > now]
        if len(kept) == len(self.claims):
            return
        self.claims = kept
        for handler in list(self.handlers.values()):
            path = handler.lapsed()
            if path is not None:
                text = "ExpiredToken: The token is expired."
                self.drop(handler.link, AmqpError(UNAUTHORIZED, tracked(text, self.server.namespace.name, path)))
        self.touch()

    # -- time

    def _schedule_tick(self, delay: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.server.loop.call_later(delay, self._tick)

    def _tick(self) -> None:
        """Keep the connection alive, or end it when it has been silent or useless for too long (S-4, S-5)."""
        if self.transport is None:
            return
        now = self.server.loop.time()
        if self.active:
            self.active, self.active_at = False, now
        due = self.amqp.tick(now)
        limits = self.server.limits
        idle = self._idle_limit()
        since = self.connected_at if idle == limits.unauthenticated else self.active_at
        if due is not None and now - since >= idle:
            self.force_close(idle)
            due = None
        elif due is not None:
            due = min(due, since + idle)
        self.handle(self.amqp.receive(b""))
        self.server.flush(self)
        if due is not None:
            self._schedule_tick(max(0.001, due - now))
        elif self.transport is not None and self.amqp.closed:
            self.transport.close()

    def _idle_limit(self) -> float:
        limits = self.server.limits
        if not self.had_link:
            return limits.unauthenticated
        for handler in self.handlers.values():
            if isinstance(handler, links.Outlet) and (handler.link.credit > 0 or not handler.link.attach_sent):
                return float("inf")  # a receiver that waits for messages, or for a session, is not idle
        return limits.connection

    def force_close(self, limit: float) -> None:
        """Close a connection that does nothing (S-5)."""
        text = (
            f"The connection was inactive for more than the allowed {limit * 1000:.0f} milliseconds "
            "and is closed by container 'LinkTracker'."
        )
        self.hang_up(AmqpError(CONNECTION_FORCED, text))

    def hang_up(self, error: AmqpError) -> None:
        """Close the connection and tell why."""
        self.amqp.close(error)
        self.flush()
        if self.transport is not None:
            # what the client still says is of no interest; give it a moment to read the reason
            self.server.loop.call_later(0.2, self.transport.close)

    def abort(self) -> None:
        """Break the connection without a word."""
        if self.transport is not None:
            self.transport.abort()

    def shut_down(self) -> None:
        """The server stops: say so and hang up."""
        self.amqp.close(AmqpError(CONNECTION_FORCED, "The server is shutting down."))
        self.flush()
        if self.transport is not None:
            self.transport.close()
