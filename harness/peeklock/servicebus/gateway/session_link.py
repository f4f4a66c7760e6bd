"""A client's receiver on one message session: its attach is answered when there is a session for it (S-58 to S-61)."""

from __future__ import annotations

from typing import Any

from peeklock.servicebus.amqp import Link, Sender
from peeklock.servicebus.amqp.errors import INVALID_FIELD, NOT_ALLOWED, AmqpError
from peeklock.servicebus.amqp.types import Described, Long, Symbol
from peeklock.servicebus.broker import BrokerError, Queue
from peeklock.servicebus.broker.session import SessionConsumer

from .client_connection import ClientConnection
from .outgoing_link import OutgoingLink
from .ports import LinkHandler
from .tracking import tracked

FILTER = "com.microsoft:session-filter"
_LOCKED_UNTIL = "com.microsoft:locked-until-utc"
_TIMEOUT = "com.microsoft:timeout"
_FILTERS = 7  # where a source has its filters
_EPOCH_TICKS = 621_355_968_000_000_000
_TICKS = 10_000_000
_TOLD_AFTER = 1.0


def ticks(when: float) -> int:
    """Return a .NET time: tenths of microseconds since the year 1."""
    return _EPOCH_TICKS + int(when * _TICKS)


def wants_session(link: Link, queue: Queue) -> bool:
    """Tell whether a receiver asks for a session. Raises `AmqpError` when that does not fit its entity (S-60)."""
    wanted = FILTER in _filters(link)
    if wanted and queue.sessions is None:
        raise AmqpError(
            NOT_ALLOWED, "A sessionful message receiver cannot be created on an entity that does not require sessions."
        )
    if not wanted and queue.sessions is not None:
        raise AmqpError(
            NOT_ALLOWED,
            "It is not possible for an entity that requires sessions to create a non-sessionful message receiver.",
        )
    return wanted


def _filters(link: Link) -> dict[Any, Any]:
    fields = link.source.value if isinstance(link.source, Described) else []
    filters = fields[_FILTERS] if len(fields) > _FILTERS else None
    return filters if isinstance(filters, dict) else {}


class _Leaving(LinkHandler):
    """A receiver whose session is gone, and that is told now or, at the latest, in a moment.

    One that receives and deletes, and waits for messages exactly as long as its lock lasts, hears nothing of the loss
    from the service (azure-servicebus: test_session_by_queue_client_conn_str_receive_handler_receiveanddelete).
    """

    def __init__(self, connection: ClientConnection, link: Link, error: AmqpError) -> None:
        super().__init__(link)
        self._connection, self._error = connection, error
        self._timer = connection.context.loop.call_later(_TOLD_AFTER, self._tell_late)

    def tell(self) -> None:
        """Take the link down."""
        self._connection.drop(self, self._error)

    def _tell_late(self) -> None:
        self.tell()
        self._connection.context.turns.end()

    def on_credit(self) -> None:
        """Who asks for more is told; who ends what it asked for, has nothing more coming."""
        if isinstance(self.link, Sender) and self.link.drain:
            self.link.drained()
        else:
            self.tell()

    def close(self) -> None:
        """The client has gone first."""
        self._timer.cancel()


class SessionLink(OutgoingLink, SessionConsumer):
    """A receiver that holds one session, or waits for one with its attach unanswered."""

    def open(self) -> None:
        """Ask for the session. Raises `BrokerError` or `AmqpError` when it cannot be had."""
        wanted = _filters(self.link)[FILTER]
        session_id = wanted.value if isinstance(wanted, Described) else wanted
        if session_id is not None and not isinstance(session_id, str):
            raise AmqpError(INVALID_FIELD, "A session filter is a string, or null for the next available session.")
        patience = self.link.properties.get(_TIMEOUT)
        seconds = patience / 1000 if isinstance(patience, int | float) and patience > 0 else None
        assert self.queue.sessions is not None
        self.queue.gate.touch()
        self.queue.dispatch.note_asking(self.principal)
        self.queue.sessions.accept(self, session_id, seconds)

    def session_accepted(self, session_id: str, locked_until: float) -> None:
        """Answer the attach: the filter has the real id, the rest of the source is as it came (S-8, S-9, S-58)."""
        link = self.link
        source = list(link.source.value)
        wanted = source[_FILTERS][FILTER]
        chosen = Described(wanted.descriptor, session_id) if isinstance(wanted, Described) else session_id
        source[_FILTERS] = {**source[_FILTERS], Symbol(FILTER): chosen}
        link.accept(
            source=Described(link.source.descriptor, source), properties={_LOCKED_UNTIL: Long(ticks(locked_until))}
        )
        self.connection.touch()
        self.on_credit()  # some clients give it before they are answered

    def session_refused(self, error: BrokerError) -> None:
        """Answer the attach with the reason; it is the client that asks again."""
        self.connection.handlers.pop(self.link.id, None)
        self.connection.refuse(self.link, self._failure(error), self.queue.name)
        self.connection.touch()

    def session_lock_lost(self, error: BrokerError) -> None:
        """Detach the link (S-61); one that receives and deletes has nothing to lose, and hears of it a moment later."""
        self.queue.dispatch.remove(self)
        self.connection.handlers[self.link.id] = leaving = _Leaving(self.connection, self.link, self._failure(error))
        if self.peek_lock:
            leaving.tell()

    def on_credit(self) -> None:
        """The client asked for more, or to have its credit used up; before its session is there it gets nothing."""
        if self.link.attach_sent:
            super().on_credit()

    def _failure(self, error: BrokerError) -> AmqpError:
        return AmqpError(
            error.condition, tracked(error.description, self.connection.context.namespace.name, self.queue.name)
        )
