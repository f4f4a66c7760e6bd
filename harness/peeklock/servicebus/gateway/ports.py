"""What the parts of the gateway ask of each other: the links of a connection, the connections of a namespace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol

from peeklock.servicebus.amqp import AmqpError, Link
from peeklock.servicebus.amqp import events as ev
from peeklock.servicebus.auth import Claims
from peeklock.servicebus.broker import Queue

Log = Callable[..., None]
"""`log(event, **fields)`: one line each; `level="error"` for what must not be."""
Role = Literal["sender", "receiver", "request"]


class LinkHandler:
    """Acts on one link of a client's connection. What a kind of link has no use for does nothing."""

    role: Role = "request"
    """The client's: `sender` and `receiver` of messages; all else is `request`."""

    def __init__(self, link: Link, queue: Queue | None = None) -> None:
        self.link = link
        self.principal = ""
        """The rule by which the client may receive or send."""
        self.queue = queue
        """The entity that it is about, if there is one."""
        self.used = True
        """False when nothing has happened since somebody looked; `idle_since` is then the event loop's time."""
        self.idle_since = 0.0

    @property
    def waits(self) -> bool:
        """True for a receiver that waits for messages or for a session: it is not idle."""
        return False

    def on_delivery(self, event: ev.Delivery) -> None:
        """A message has come."""

    def on_credit(self) -> None:
        """The client gave credit, asked to drain, or opened its window."""

    def lapsed(self) -> str | None:
        """Return the entity for which the client has no claim any more, if it needs one (S-24)."""
        return None

    def close(self) -> None:
        """The link is gone."""


class OpenConnection(Protocol):
    """An AMQP connection, as those see it who look at all connections of a namespace."""

    number: int
    """Which of the connections that the namespace was ever asked for it is: 1 is the first."""
    claims: Claims
    handlers: dict[int, LinkHandler]
    """What acts on its links, by the links' ids."""
    dirty: bool
    """True when it has something to write at the end of the turn."""

    @property
    def name(self) -> str:
        """The client's container id."""

    def flush(self) -> None:
        """Write what there is to say."""

    def drop(self, handler: LinkHandler, error: AmqpError) -> None:
        """Take one link down; tell the client why."""

    def hang_up(self, error: AmqpError, *, at_once: bool = False) -> None:
        """Close the connection and tell why; the client has a moment to read it, unless `at_once`."""

    def abort(self) -> None:
        """Break the connection without a word."""
