"""The `<entity>/$management` node: the operations of queues (S-27 to S-31)."""

# ruff: noqa: ARG002 -- all operations have one signature
from __future__ import annotations

import uuid
from collections.abc import Callable
from functools import partial
from typing import Any

from peeklock.servicebus.amqp import Envelope, Receiver
from peeklock.servicebus.amqp.encode import encode
from peeklock.servicebus.amqp.types import Array, Int, Symbol
from peeklock.servicebus.broker import BrokerError, Queue
from peeklock.servicebus.broker.consumer import consumer_name
from peeklock.servicebus.broker.errors import ArgumentError, ArgumentOutOfRange, NotAllowed, NotImplementedYet
from peeklock.servicebus.broker.settlement import Settlement
from peeklock.servicebus.broker.transaction import Enlisted

from .client_connection import ClientConnection
from .limits import STANDARD_MESSAGE_KILOBYTES
from .message_encoding import encode_message
from .request_link import RequestLink, Response
from .rule_requests import RuleRequests
from .session_requests import SessionRequests

_PREFIX = "com.microsoft:"
_SETTLEMENTS = {
    "completed": "complete",
    "abandoned": "abandon",
    "defered": "defer",
    "suspended": "dead_letter",
    "unlocked": "release",
    "released": "release",
}
MAX_PEEK = 1_000
MAX_PEEK_BYTES = 4 << 20
MAX_DELETE, MAX_DELETE_PREMIUM = 500, 4_000


class Unauthorized(BrokerError):
    """The connection has no claim for the operation (S-23)."""

    condition = "amqp:unauthorized-access"
    status = 401


class ManagementRequests(RequestLink):
    """Executes the requests for one entity."""

    queue: Queue

    def __init__(self, connection: ClientConnection, link: Receiver, node: str, queue: Queue) -> None:
        super().__init__(connection, link, node, queue)
        self.link_name: str | None = None
        """The link on whose behalf the request at hand is made."""
        self._principal = ""
        self._sessions = SessionRequests(queue, lambda: (connection.amqp.remote_container_id, self.link_name))
        self._operations: dict[str, tuple[str, Callable[[dict[Any, Any], str | None], bytes | None]]] = {
            "renew-lock": ("Listen", self._renew),
            "peek-message": ("Listen", self._peek),
            "schedule-message": ("Send", self._schedule),
            "cancel-scheduled-message": ("Send", self._cancel),
            "receive-by-sequence-number": ("Listen", self._receive),
            "update-disposition": ("Listen", self._dispose),
            **RuleRequests(queue, connection.context.namespace.clock.now).operations(),
            "batch-delete-messages": ("Listen", self._delete),
            **self._sessions.operations(),
        }

    def lapsed(self) -> str | None:
        """Return the node for which neither right is left (S-24)."""
        claims = self.connection.claims
        return None if claims.allows(self.node, "Send") or claims.allows(self.node, "Listen") else self.node

    def is_held(self, request: Envelope, resume: Callable[[], None]) -> bool:
        """Tell whether a fault keeps a settlement, by any of its locks, or what is scheduled, by the first message's id."""
        faults = self.queue.faults
        if faults is None:
            return False
        operation = str(request.application_properties().get("operation") or "").removeprefix(_PREFIX)
        arguments = _arguments(request)
        if operation == "update-disposition":
            settlement = _SETTLEMENTS.get(str(arguments.get("disposition-status")), "")
            tokens = arguments.get("lock-tokens")
            locks = [token.bytes_le for token in tokens or () if isinstance(token, uuid.UUID)]
            return any(faults.holds_settlement(settlement, lock, resume) for lock in locks)
        if operation == "schedule-message":
            items = arguments.get("messages")
            raw = items[0].get("message") if items and isinstance(items, list) and isinstance(items[0], dict) else None
            principal = self.connection.claims.principal(self.node, "Send") or ""
            return isinstance(raw, bytes) and faults.holds_send("send", Envelope(raw).message_id, principal, resume)
        return False

    def execute(self, request: Envelope) -> Response:
        """Answer one request; refusals carry statusCode, statusDescription and errorCondition."""
        fields = request.application_properties()
        operation = str(fields.get("operation") or "").removeprefix(_PREFIX)
        try:
            if operation not in self._operations:
                raise NotImplementedYet(f"The operation '{operation}' is not supported.")
            right, run = self._operations[operation]
            principal = self.connection.claims.principal(self.node, right)
            if principal is None:
                who = self.connection.claims.shown_for(self.node)
                self.connection.context.tell_refusal(self.queue.name, right, who)
                raise Unauthorized(f"Unauthorized access. '{right}' claim(s) are required to perform this operation.")
            if self.queue.faults is not None:
                self.queue.faults.admit("manage", principal)
            link_name = fields.get("associated-link-name")
            self.link_name = None if link_name is None else str(link_name)
            container = self.connection.amqp.remote_container_id
            consumer = consumer_name(principal, container, str(link_name or "$management"))
            arguments = _arguments(request)
            self._principal = principal
            self.queue.gate.touch()
            value = run(arguments, consumer)
        except BrokerError as error:
            if error.status != 204:
                self.connection.context.failures.count(error.condition, self.queue.name)
            return self.failed(error.status, error.description, error.condition)
        if value is None:
            return Response({"statusCode": Int(204), "statusDescription": "No content"})
        return Response({"statusCode": Int(200), "statusDescription": "OK"}, value)

    def failed(self, status: int, description: str, condition: str) -> Response:
        """Write a refusal."""
        fields = {"statusCode": Int(status), "statusDescription": description, "errorCondition": Symbol(condition)}
        return Response(fields)

    def _renew(self, arguments: dict[Any, Any], consumer: str | None) -> bytes:
        tokens = _tokens(arguments)
        target = self._target()
        expirations = [int(target.renew(token) * 1000) for token in tokens]
        return encode({"expirations": Array.timestamps(expirations)})

    def _peek(self, arguments: dict[Any, Any], consumer: str | None) -> bytes | None:
        start = _integer(arguments, "from-sequence-number")
        count = _integer(arguments, "message-count")
        found: list[dict[str, bytes]] = []
        size = 0
        for message in self.queue.peek(start, min(count, MAX_PEEK), _text(arguments.get("session-id"))):
            raw = encode_message(message, locked=False, stated=True)
            size += len(raw)
            if found and size > MAX_PEEK_BYTES:
                break
            found.append({"message": raw})
        return encode({"messages": found}) if found else None

    def _schedule(self, arguments: dict[Any, Any], consumer: str | None) -> bytes:
        contents = []
        for item in _sequence(arguments, "messages"):
            raw = item.get("message") if isinstance(item, dict) else None
            if not isinstance(raw, bytes):
                raise ArgumentError("Each of 'messages' needs a 'message' of binary.")
            content = Envelope(raw)
            content.sender = self._principal
            contents.append(content)
        schedule = (
            self.queue.intake.schedule if self.transaction is None else partial(self.transaction.schedule, self.queue)
        )
        return encode({"sequence-numbers": Array.longs(schedule(contents))})

    def _cancel(self, arguments: dict[Any, Any], consumer: str | None) -> bytes:
        self.queue.intake.cancel([_whole(number) for number in _sequence(arguments, "sequence-numbers")])
        return encode({})

    def _receive(self, arguments: dict[Any, Any], consumer: str | None) -> bytes:
        numbers = [_whole(number) for number in _sequence(arguments, "sequence-numbers")]
        peek_lock = _integer(arguments, "receiver-settle-mode") == 1
        found = []
        session_id = self._sessions.required(arguments)
        for message in self.queue.receive_deferred(numbers, consumer, peek_lock=peek_lock, session_id=session_id):
            token = uuid.UUID(bytes_le=message.token) if peek_lock else uuid.UUID(int=0)
            found.append({"lock-token": token, "message": encode_message(message, locked=peek_lock, stated=True)})
        return encode({"messages": found})

    def _dispose(self, arguments: dict[Any, Any], consumer: str | None) -> bytes:
        status = arguments.get("disposition-status")
        properties = arguments.get("properties-to-modify")
        if not isinstance(properties, dict):
            properties = None
        self._sessions.check(arguments)
        target = self._target()
        for token in _tokens(arguments):
            if self.queue.faults is not None and self.queue.faults.swallows(token, _SETTLEMENTS.get(str(status), "")):
                continue
            if status == "completed":
                target.complete(token)
            elif status == "abandoned":
                target.abandon(token, properties)
            elif status == "defered":
                target.defer(token, properties)
            elif status == "suspended":
                reason, text = arguments.get("deadletter-reason"), arguments.get("deadletter-description")
                target.dead_letter(token, _text(reason), _text(text), properties)
            elif status in ("unlocked", "released"):
                target.release(token)
            else:
                raise ArgumentError(f"The disposition-status '{status}' is not known.")
        return encode({})

    def _target(self) -> Settlement | Enlisted:
        """Return what settles: the entity, or its part in the transaction of the request (S-75)."""
        return self.queue.settlement if self.transaction is None else self.transaction.at(self.queue)

    def _delete(self, arguments: dict[Any, Any], consumer: str | None) -> bytes | None:
        if self.queue.log.partitions is not None:
            raise NotAllowed(f"Messages of '{self.queue.name}' cannot be deleted in batches: it is partitioned.")
        count = _integer(arguments, "message-count")
        before = _integer(arguments, "enqueued-time-utc") / 1000
        premium = self.queue.settings.max_message_size_in_kilobytes > STANDARD_MESSAGE_KILOBYTES
        most = MAX_DELETE_PREMIUM if premium else MAX_DELETE
        if not 0 < count <= most:
            raise ArgumentOutOfRange(f"'message-count' is {count}; this tier deletes 1 to {most} messages at once.")
        deleted = self.queue.delete(count, before, _text(arguments.get("session-id")))
        return encode({"message-count": Int(deleted)}) if deleted else None


def _arguments(request: Envelope) -> dict[Any, Any]:
    _, body = request.body(exact=True)
    return body[0] if body and isinstance(body[0], dict) else {}


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _sequence(arguments: dict[Any, Any], name: str) -> list[Any]:
    value = arguments.get(name)
    if not isinstance(value, list):
        raise ArgumentError(f"The request needs '{name}'.")
    return value


def _whole(value: Any) -> int:
    if not isinstance(value, int):
        raise ArgumentError(f"'{value}' is not a sequence number.")
    return value


def _integer(arguments: dict[Any, Any], name: str) -> int:
    value = arguments.get(name)
    if not isinstance(value, int):
        raise ArgumentError(f"The request needs '{name}', an integer.")
    return int(value)


def _tokens(arguments: dict[Any, Any]) -> list[bytes]:
    """Lock tokens come as AMQP uuids; the broker holds them in the delivery-tag's little-endian form (S-29, S-39)."""
    tokens = _sequence(arguments, "lock-tokens")
    if not all(isinstance(token, uuid.UUID) for token in tokens):
        raise ArgumentError("'lock-tokens' are uuids.")
    return [token.bytes_le for token in tokens]
