"""The blocking client: send, schedule, receive, settle and peek on queues."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

from peeklock.connection_strings import parts_of
from peeklock.servicebus.amqp import Receiver, Sender, frames
from peeklock.servicebus.amqp.encode import described, encode
from peeklock.servicebus.amqp.errors import NOT_ALLOWED, NOT_FOUND, UNAUTHORIZED
from peeklock.servicebus.amqp.sections import BATCH_FORMAT
from peeklock.servicebus.amqp.types import Array, Described, Int, Long, Symbol, UByte, UInt, ULong
from peeklock.servicebus.auth import make_token

from .channel import Channel
from .errors import ServiceBusError
from .messages import OutgoingMessage, ReceivedMessage, Resubmission
from .recorded import RecordedMessage
from .session import SessionReceiver

Mode = Literal["peek_lock", "receive_and_delete"]
T = TypeVar("T")
_HOUR = 3600
_TEN_YEARS = 10 * 365 * 24 * _HOUR
_MANAGEMENT = "/$management"


class Client:
    """A client for one namespace; connects at first use, and again when the connection was lost.

    `connection_string`: Endpoint, SharedAccessKeyName, SharedAccessKey; with UseDevelopmentEmulator=true plain TCP
    (default port 5672), else TLS (5671). Safe to use from several threads, one call at a time. `timeout` in seconds.
    Raises `ServiceBusError`; `ValueError` for a connection string that cannot be read; `OSError` without a connection.
    """

    def __init__(self, connection_string: str, *, timeout: float = 30.0) -> None:
        parts = parts_of(connection_string)
        try:
            endpoint = parts["Endpoint"].split("://", 1)[1].rstrip("/")
            self._rule, self._key = parts["SharedAccessKeyName"], parts["SharedAccessKey"]
        except (KeyError, IndexError):
            needed = "Endpoint=sb://…, SharedAccessKeyName and SharedAccessKey"
            raise ValueError(f"the connection string needs {needed}") from None
        self._emulator = parts.get("UseDevelopmentEmulator", "").lower() == "true"
        self._host, _, port = endpoint.partition(":")
        self._port = int(port) if port else (5672 if self._emulator else 5671)
        self._timeout = timeout
        self._lock = threading.RLock()
        self._channel: Channel | None = None
        self._tokens: dict[str, float] = {}
        self._senders: dict[str, Sender] = {}
        self._receivers: dict[tuple[str, str], Receiver] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Client({self._host}:{self._port}, rule={self._rule!r})"

    def close(self) -> None:
        """Close the connection; locks that were taken stay until they expire."""
        with self._lock:
            if self._channel is not None:
                self._channel.close()
            self._channel = None
            self._tokens.clear()
            self._senders.clear()
            self._receivers.clear()

    # -- sending

    def send(
        self, queue: str, messages: Sequence[OutgoingMessage | RecordedMessage | Resubmission], batch: bool = False
    ) -> None:
        """Send messages in order and wait until the broker has them; `batch` sends all as one, all or nothing."""
        payloads = [message.encode() for message in messages]
        if not payloads:
            return

        def run(channel: Channel) -> None:
            link = self._senders.get(queue)
            if link is None or not channel.usable(link):
                link = self._senders[queue] = channel.attach_sender(queue)
            if batch:
                whole = b"".join(b"\x00\x53\x75" + encode(payload) for payload in payloads)
                channel.send(link, [whole], BATCH_FORMAT)
            else:
                channel.send(link, payloads)

        self._run(queue, run)

    def schedule(self, queue: str, message: OutgoingMessage, at: datetime) -> int:
        """Let a message appear at a time; return the sequence number to cancel it by."""
        message.scheduled_enqueue_time = at
        item = {"message-id": message.message_id or "", "message": message.encode()}
        answer = self._manage(queue, "schedule-message", {"messages": [item]})
        return int(answer["sequence-numbers"][0])

    def cancel(self, queue: str, sequence_number: int) -> None:
        """Cancel a scheduled message."""
        self._manage(queue, "cancel-scheduled-message", {"sequence-numbers": Array.longs([sequence_number])})

    # -- receiving

    def receive(
        self, queue: str, max_messages: int = 1, wait: float = 5.0, mode: Mode = "peek_lock"
    ) -> list[ReceivedMessage]:
        """Return up to `max_messages`: those that are there, else the first that come within `wait` seconds, else none."""

        def run(channel: Channel) -> list[ReceivedMessage]:
            key = (queue, mode)
            link = self._receivers.get(key)
            if link is None or not channel.usable(link):
                link = self._receivers[key] = channel.attach_receiver(queue, settled=mode == "receive_and_delete")
            return self._collect(channel, link, queue, max_messages, wait)

        return self._run(queue, run)

    def accept_session(
        self, queue: str, session_id: str | None = None, wait: float = 5.0, mode: Mode = "peek_lock"
    ) -> SessionReceiver:
        """Lock a message session, or the next available one within `wait` seconds. Raises `ServiceBusError` with
        `com.microsoft:session-cannot-be-locked` or `com.microsoft:timeout`."""

        def run(channel: Channel) -> SessionReceiver:
            link = channel.attach_session(queue, session_id, settled=mode == "receive_and_delete", patience=wait)

            def collect(receiver: Receiver, max_messages: int, patience: float) -> list[ReceivedMessage]:
                with self._lock:
                    channel.check(receiver)
                    return self._collect(channel, receiver, queue, max_messages, patience)

            def manage(operation: str, arguments: dict[str, Any], link_name: str) -> Any:
                return self._manage(queue, operation, arguments, link_name)

            def close() -> None:
                with self._lock:
                    if channel.usable(link):
                        link.detach()
                        channel.wait(lambda: not channel.usable(link), "the end of a session")

            return SessionReceiver(queue, link, collect, manage, close)

        return self._run(queue, run)

    def _collect(
        self, channel: Channel, link: Receiver, queue: str, max_messages: int, wait: float
    ) -> list[ReceivedMessage]:
        box = channel.inbox.setdefault(link.id, [])
        deadline = time.monotonic() + wait
        link.grant(max_messages)
        while not box and (left := deadline - time.monotonic()) > 0:
            channel.turn(left)
            channel.check(link)
        # whatever is there comes now, and nothing may come later: it would be locked for nobody
        if link.credit > 0:
            link.grant(link.credit, drain=True)
            channel.wait(lambda: link.credit <= 0 or channel.check(link), "the drain of a receiver")
        received = []
        for event in box:
            token = uuid.UUID(bytes_le=event.tag) if not event.settled and len(event.tag) == 16 else None
            message = ReceivedMessage.decode(queue, event.payload or b"", token)
            message.delivery = (event.id, channel, link)
            received.append(message)
        box.clear()
        return received

    def receive_deferred(
        self, queue: str, sequence_numbers: Sequence[int], mode: Mode = "peek_lock"
    ) -> list[ReceivedMessage]:
        """Receive deferred messages by their sequence numbers, all or none."""
        settle_mode = UByte(1 if mode == "peek_lock" else 0)
        arguments = {"sequence-numbers": Array.longs(list(sequence_numbers)), "receiver-settle-mode": settle_mode}
        answer = self._manage(queue, "receive-by-sequence-number", arguments)
        return [
            ReceivedMessage.decode(queue, item["message"], item["lock-token"] if mode == "peek_lock" else None)
            for item in answer["messages"]
        ]

    def peek(self, queue: str, max_messages: int = 100, from_sequence_number: int = 0) -> list[ReceivedMessage]:
        """Look at messages in any state, in order, without locking them."""
        arguments = {"from-sequence-number": Long(from_sequence_number), "message-count": Int(max_messages)}
        answer = self._manage(queue, "peek-message", arguments)
        return [ReceivedMessage.decode(queue, item["message"]) for item in (answer or {}).get("messages", [])]

    # -- looking

    def connect(self) -> None:
        """Connect now rather than at first use; what the key is worth shows with the first entity."""
        with self._lock:
            self._connected()

    def try_link(self, entity: str, *, receiving: bool) -> None:
        """Open a link to send, or to receive; no message is sent or asked for. Raises `ServiceBusError` when it is refused."""

        def run(channel: Channel) -> None:
            if receiving:
                channel.attach_receiver(entity, settled=False)
            else:
                channel.attach_sender(entity)

        self._run(entity, run)

    def rules(self, subscription: str) -> list[str]:
        """Return the names of a subscription's rules, a hundred at most; takes the right Listen."""
        answer = self._manage(subscription, "enumerate-rules", {"skip": Int(0), "top": Int(100)})
        return [str(item["rule-description"].value[2]) for item in (answer or {}).get("rules", [])]

    # -- settling

    def complete(self, message: ReceivedMessage) -> None:
        """Remove a received message. Raises `com.microsoft:message-lock-lost` like all settlements."""
        self._settle(message, frames.ACCEPTED, "completed")

    def abandon(self, message: ReceivedMessage, properties: dict[str, Any] | None = None) -> None:
        """Give a message back, counted as a failed delivery."""
        self._settle(message, _modified(False, properties), "abandoned", properties)

    def defer(self, message: ReceivedMessage, properties: dict[str, Any] | None = None) -> None:
        """Set a message aside for `receive_deferred`."""
        self._settle(message, _modified(True, properties), "defered", properties)

    def release(self, message: ReceivedMessage) -> None:
        """Give a message back without counting."""
        self._settle(message, frames.RELEASED, "unlocked")

    def dead_letter(self, message: ReceivedMessage, reason: str | None = None, description: str | None = None) -> None:
        """Move a message to the dead-letter queue."""
        info = {Symbol("DeadLetterReason"): reason, Symbol("DeadLetterErrorDescription"): description}
        given = {key: value for key, value in info.items() if value is not None}
        failure = Described(ULong(frames.ERROR), [Symbol("com.microsoft:dead-letter"), None, given])
        extra = {"deadletter-reason": reason, "deadletter-description": description}
        self._settle(message, described(frames.REJECTED_CODE, failure), "suspended", None, extra)

    def renew(self, message: ReceivedMessage) -> None:
        """Lock a message for another lock duration."""
        answer = self._manage(message.queue, "renew-lock", {"lock-tokens": Array([_token(message)], 0x98)})
        message.locked_until = datetime.fromtimestamp(answer["expirations"][0] / 1000, tz=UTC)

    def _settle(
        self,
        message: ReceivedMessage,
        state: bytes,
        status: str,
        properties: dict[str, Any] | None = None,
        extra: dict[str, Any] | None = None,
    ) -> None:
        token = _token(message)
        with self._lock:
            current = self._channel
            if current is not None and message.delivery is not None:
                number, channel, link = message.delivery
                if channel is current and current.usable(link):
                    current.settle(number, link, state)
                    return
        arguments: dict[str, Any] = {"disposition-status": status, "lock-tokens": Array([token], 0x98)}
        arguments.update({key: value for key, value in (extra or {}).items() if value is not None})
        if properties:
            arguments["properties-to-modify"] = properties
        self._manage(message.queue, "update-disposition", arguments)

    # -- connection

    def _run(self, queue: str, action: Callable[[Channel], T]) -> T:
        """Run an action on a connection that is up and may use `queue`. It is never run twice: a send might be doubled."""
        with self._lock:
            return action(self._ready(queue))

    def _connected(self) -> Channel:
        if self._channel is None or not self._channel.poll():
            self.close()
            self._channel = Channel(self._host, self._port, tls=not self._emulator, timeout=self._timeout)
        return self._channel

    def _ready(self, queue: str) -> Channel:
        """Return a connection whose token for the queue holds for some time to come."""
        channel = self._connected()
        scope = queue.lower()
        if self._tokens.get(scope, 0.0) < time.time() + 300:
            # the emulator's clock may be moved by months: its tokens must outlive that
            expires = int(time.time()) + (_TEN_YEARS if self._emulator else _HOUR)
            uri = f"sb://{self._host}/{queue}"
            token = make_token(uri, self._rule, self._key, expires)
            fields = {"operation": "put-token", "type": "servicebus.windows.net:sastoken", "name": uri}
            try:
                channel.request("$cbs", fields, encode(token), codes=("status-code", "status-description"))
            except ServiceBusError as error:
                condition = {"status:404": NOT_FOUND, "status:401": UNAUTHORIZED}.get(error.condition, error.condition)
                raise ServiceBusError(condition, error.description) from None
            self._tokens[scope] = float(expires)
        return channel

    def _manage(self, queue: str, operation: str, arguments: dict[str, Any], link_name: str | None = None) -> Any:
        fields: dict[str, Any] = {
            "operation": f"com.microsoft:{operation}",
            "com.microsoft:server-timeout": UInt(int(self._timeout * 1000)),
        }
        if link_name is not None:
            fields["associated-link-name"] = link_name
        value = encode(arguments)

        def run(channel: Channel) -> Any:
            codes = ("statusCode", "statusDescription")
            return channel.request(queue + _MANAGEMENT, fields, value, codes=codes)[1]

        return self._run(queue, run)


def _modified(undeliverable_here: bool, properties: dict[str, Any] | None) -> bytes:
    annotations = None if not properties else {Symbol(key): value for key, value in properties.items()}
    return described(frames.MODIFIED_CODE, True, undeliverable_here, annotations)


def _token(message: ReceivedMessage) -> uuid.UUID:
    if message.lock_token is None:
        raise ServiceBusError(NOT_ALLOWED, "the message was not received under a lock")
    return message.lock_token
