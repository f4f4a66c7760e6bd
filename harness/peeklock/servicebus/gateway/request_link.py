"""Request and response over a pair of links: what `$cbs` and `$management` have in common."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from peeklock.servicebus.amqp import DecodeError, Envelope, Receiver, Sender, frames
from peeklock.servicebus.amqp import events as ev
from peeklock.servicebus.amqp.encode import compound, encode
from peeklock.servicebus.amqp.errors import DECODE_ERROR, INTERNAL_ERROR, AmqpError
from peeklock.servicebus.amqp.link import address_of
from peeklock.servicebus.amqp.sections import APPLICATION_PROPERTIES, PROPERTIES, described_map
from peeklock.servicebus.amqp.transactions import transactional
from peeklock.servicebus.broker import BrokerError, Queue
from peeklock.servicebus.broker.transaction import Transaction

from .client_connection import ClientConnection, transaction_of
from .failures import INTERNAL_TEXT
from .ports import LinkHandler

REQUEST_CREDIT = 100
UNREAD_REPLIES = 8 << 20
"""Bytes of answers that may wait for the client's credit before no further request is done."""
MAX_REQUEST_SIZE = 4 << 20
MAX_TOKEN_SIZE = 128 << 10


class Response:
    """A reply: application properties, and an encoded AMQP value as its body."""

    __slots__ = ("properties", "value")

    def __init__(self, properties: dict[str, Any], value: bytes = b"\x40") -> None:
        self.properties = properties
        self.value = value


class ResponseLink(LinkHandler):
    """The client's receiving end of a pair: replies wait here for credit."""

    link: Sender

    def __init__(self, connection: ClientConnection, link: Sender, node: str) -> None:
        super().__init__(link)
        self.node = node
        self.address = address_of(link.target)
        self._connection = connection
        self._waiting: deque[bytes] = deque()
        self._unread = 0
        self._blocks = False

    def send(self, raw: bytes) -> None:
        """Send a reply now, or when the client gives credit."""
        self._waiting.append(raw)
        self._unread += len(raw)
        self.on_credit()

    def has_room(self) -> bool:
        """True when one more request may be answered; else the links of requests are asked again when there is."""
        self._blocks = self._unread > UNREAD_REPLIES
        return not self._blocks

    def on_credit(self) -> None:
        """Send what waits."""
        link, output = self.link, self._connection.output
        while self._waiting and link.ready:
            raw = self._waiting.popleft()
            self._unread -= len(raw)
            link.send(raw, settled=True)
            output.add_reply(len(raw))
        if link.drain:
            link.drained()
        if self._blocks and self.has_room():
            output.stalled = True
        self._connection.touch()

    def close(self) -> None:
        """Drop what waits."""
        self._waiting.clear()


class RequestLink(LinkHandler):
    """The client's sending end of a pair: each request is answered on the matching response link."""

    link: Receiver

    def __init__(self, connection: ClientConnection, link: Receiver, node: str, queue: Queue | None = None) -> None:
        super().__init__(link, queue)
        self.connection = connection
        self.node = node
        self.transaction: Transaction | None = None
        """That of the request at hand."""
        self._waiting: deque[ev.Delivery] = deque()

    def on_delivery(self, event: ev.Delivery) -> None:
        """Do a request, in its turn: as many as the client reads the answers of, which may be much longer than requests are."""
        if not self._waiting and self._has_room():
            self._answer(event)
            return
        self._waiting.append(event)
        if not self.connection.output.add_waiting(len(event.payload or b"")):
            self.connection.context.log(
                "connection.aborted", reason="the client does not read answers", peer=self.connection.name
            )
            self.connection.abort()

    def on_credit(self) -> None:
        """Go on with the requests that wait."""
        while self._waiting and self._has_room():
            event = self._waiting.popleft()
            self.connection.output.remove_waiting(len(event.payload or b""))
            self._answer(event)
        self.connection.touch()

    def close(self) -> None:
        """Forget the requests that wait."""
        for event in self._waiting:
            self.connection.output.remove_waiting(len(event.payload or b""))
        self._waiting.clear()

    def _has_room(self) -> bool:
        pair = self._reply_link(None)
        return self.connection.output.has_room() and (pair is None or pair.has_room())

    def _answer(self, event: ev.Delivery) -> None:
        """Accept a request, execute it and send the reply."""
        link = self.link
        try:
            if event.payload is None:
                raise DecodeError("the request is too long")
            request = Envelope(event.payload)
            properties = request.properties()
            with suppress(DecodeError):  # a request that cannot be read is answered, whatever the faults are
                if self.is_held(request, lambda: self.connection.later(lambda: self._answer(event))):
                    return
            self.transaction = None if event.state is None else transaction_of(self.connection, event)
        except (DecodeError, BrokerError) as error:
            refused = AmqpError(DECODE_ERROR, str(error))
            if isinstance(error, BrokerError):
                refused = AmqpError(error.condition, error.description)
            if not event.settled:
                link.settle(event.id, frames.rejected(refused))
            return
        try:
            response = self.execute(request)
        except DecodeError as error:
            response = self.failed(400, f"The request cannot be read: {error}.", DECODE_ERROR)
        except Exception as error:  # noqa: BLE001 -- the client is told, and the log knows where
            self.connection.context.failures.unforeseen(error, f"a request to '{self.node}'")
            response = self.failed(500, INTERNAL_TEXT, INTERNAL_ERROR)
        if not event.settled:
            state = frames.ACCEPTED
            if self.transaction is not None:
                state = transactional(self.transaction.id, state)
            link.settle(event.id, state)
            link.channel.output.flush_dispositions()  # clients take an answer before it for one to another request
        reply = self._reply_link(properties.get("reply_to"))
        if reply is not None:
            reply.send(encode_response(request, properties.get("reply_to"), response))

    def is_held(self, request: Envelope, resume: Callable[[], None]) -> bool:  # noqa: ARG002
        """Tell whether a fault keeps a request, neither done nor answered; `resume` does it. Raises `DecodeError`."""
        return False

    def execute(self, request: Envelope) -> Response:
        """Answer one request. Raises `DecodeError` when it cannot be read."""
        raise NotImplementedError

    def failed(self, status: int, description: str, condition: str) -> Response:
        """Write a refusal in the words of this node."""
        raise NotImplementedError

    def _reply_link(self, reply_to: Any) -> ResponseLink | None:
        """Find where the reply goes: by address on this session, else by node, on this session first (S-27)."""
        fallback = None
        for pair in self.connection.handlers.values():
            if not isinstance(pair, ResponseLink) or pair.node != self.node:
                continue
            here = pair.link.session == self.link.session
            if reply_to is not None and pair.address == reply_to and here:
                return pair
            if here or fallback is None:
                fallback = pair
        return fallback


def encode_response(request: Envelope, reply_to: Any, response: Response) -> bytes:
    """Encode a reply; its correlation-id has the very bytes of the request's message-id (S-20)."""
    null = b"\x40"
    to = null if reply_to is None else encode(str(reply_to))
    items = [null, null, to, null, null, request.raw_property(0), *[null] * 7]
    return b"".join(
        (
            bytes((0, 0x53, PROPERTIES)) + compound(0xC0, items),
            described_map(APPLICATION_PROPERTIES, response.properties),
            b"\x00\x53\x77" + response.value,
        )
    )
