"""What the engine tells its owner: one small value for each thing that the peer did.

`link` and `session` are numbers, unique within the connection and never used twice: `Connection.links` and
`Connection.sessions` have those that exist now.
"""

from __future__ import annotations

from typing import Any

from .errors import AmqpError


class Event:
    """Base of all events."""

    __slots__ = ()


class SaslInit(Event):
    """A client chose a mechanism; answer with `Connection.sasl_outcome`."""

    __slots__ = ("mechanism", "response")

    def __init__(self, mechanism: str, response: bytes) -> None:
        self.mechanism = mechanism
        self.response = response


class SaslDone(Event):
    """The server answered our SASL init; `ok` tells how."""

    __slots__ = ("ok",)

    def __init__(self, ok: bool) -> None:
        self.ok = ok


class Opened(Event):
    """The peer's open arrived (a server has answered it already)."""

    __slots__ = ("container_id", "hostname")

    def __init__(self, container_id: str, hostname: str | None) -> None:
        self.container_id = container_id
        self.hostname = hostname


class Closed(Event):
    """The connection is over: the peer closed it, or it broke the protocol and was closed with `error`."""

    __slots__ = ("error",)

    def __init__(self, error: AmqpError | None) -> None:
        self.error = error


class SessionBegun(Event):
    """The peer began a session, or answered ours."""

    __slots__ = ("session",)

    def __init__(self, session: int) -> None:
        self.session = session


class SessionEnded(Event):
    """A session is over; a `LinkDetached` for each of its links came before."""

    __slots__ = ("error", "session")

    def __init__(self, session: int, error: AmqpError | None) -> None:
        self.session = session
        self.error = error


class LinkAttached(Event):
    """The peer attached a link: `accept` or `refuse` it. For a link that we attached: the peer's answer."""

    __slots__ = ("link",)

    def __init__(self, link: int) -> None:
        self.link = link


class LinkDetached(Event):
    """A link is gone; the engine has answered the peer's detach already."""

    __slots__ = ("error", "link")

    def __init__(self, link: int, error: AmqpError | None) -> None:
        self.link = link
        self.error = error


class Credit(Event):
    """The peer moved the credit (or asked to drain, or opened the session's window) of a sender of ours."""

    __slots__ = ("link",)

    def __init__(self, link: int) -> None:
        self.link = link


class Delivery(Event):
    """A whole message arrived; `payload` is None when it was longer than the link's `max_message_size`. `state` is the
    delivery state that came with it: a transaction's, or None."""

    __slots__ = ("id", "link", "message_format", "payload", "settled", "state", "tag")

    def __init__(
        self,
        link: int,
        id_: int,
        tag: bytes,
        message_format: int,
        settled: bool,
        payload: bytes | None,
        state: Any = None,
    ) -> None:
        self.link = link
        self.id = id_
        self.tag = tag
        self.message_format = message_format
        self.settled = settled
        self.payload = payload
        self.state = state


class Outcome(Event):
    """The peer gave deliveries `first` to `last` of ours an outcome: `code` 0x24..0x27, or 0x34 in a transaction (None:
    settled without a state), its fields, and the `context` that the owner passed to `Sender.send`. `context` is None for
    a delivery that the engine does not know."""

    __slots__ = ("code", "context", "fields", "first", "last", "session", "settled")

    def __init__(
        self,
        session: int,
        first: int,
        last: int,
        context: Any,
        settled: bool,
        code: int | None,
        fields: list[Any],
    ) -> None:
        self.session = session
        self.first = first
        self.last = last
        self.context = context
        self.settled = settled
        self.code = code
        self.fields = fields
