"""The REST data plane: send, receive and settle over HTTP with a SAS token (S-78 to S-80)."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import quote, unquote

from peeklock.servicebus.amqp import DecodeError, Envelope
from peeklock.servicebus.amqp.json_values import json_safe
from peeklock.servicebus.amqp.sections import text_of
from peeklock.servicebus.auth import TokenRefused, path_of
from peeklock.servicebus.broker import Consumer, Message, Queue
from peeklock.servicebus.broker.interference import Interference
from peeklock.servicebus.gateway.administration import Administration
from peeklock.servicebus.gateway.context import NamespaceContext
from peeklock.servicebus.gateway.health import health
from peeklock.servicebus.gateway.inside import LedgerFeed, Refused, answer
from peeklock.servicebus.gateway.metrics import CONTENT_TYPE, render
from peeklock.servicebus.gateway.tracking import tracked
from peeklock.servicebus.http import HttpReply, HttpRequest

from .properties import RestRefused, envelope, json_object, property_of, read_json

MAX_WAIT = 60.0
_BATCH = "application/vnd.microsoft.servicebus.json"
_TOKENS = ("authorization", "servicebussupplementaryauthorization", "servicebusdlqsupplementaryauthorization")
_NOT_PROPERTIES = frozenset(
    [
        "accept",
        "accept-encoding",
        "authorization",
        "brokerproperties",
        "connection",
        "content-length",
        "content-type",
        "date",
        "expect",
        "host",
        "traceparent",
        "transfer-encoding",
        "user-agent",
    ]
)


class _Taker(Consumer):
    """Receives one message."""

    __slots__ = ("_closed", "taken")

    def __init__(self, principal: str, *, peek_lock: bool) -> None:
        super().__init__("rest", uuid.uuid4().hex, peek_lock=peek_lock, principal=principal)
        self.taken: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._closed = False

    @property
    def ready(self) -> bool:
        """True until it has its message."""
        return not self.taken.done()

    def deliver(self, message: Message) -> None:
        """Take the message."""
        self.taken.set_result(message)


class RestRequest:
    """One request: who asks, what for, and the answer."""

    def __init__(self, context: NamespaceContext, administration: Administration, request: HttpRequest) -> None:
        self._context = context
        self._administration = administration
        self._scheme = "https" if request.secure else "http"
        self._method = "GET" if request.method == "HEAD" else request.method
        self._path = request.path
        self._parts = [unquote(part) for part in request.path.strip("/").split("/")]
        self._query = request.query
        self._headers = request.headers
        self._raw_headers = request.raw_headers
        self._body = request.body

    async def answer(self) -> HttpReply:
        """Do what is asked for. Raises `RestRefused` or `BrokerError`."""
        for name in _TOKENS:
            if name in self._headers and (waits := self._context.tokens.preparation(self._headers[name])) is not None:
                await waits
        lowered = [part.lower() for part in self._parts]
        if self._method == "GET" and (found := self._about_itself(lowered)) is not None:
            return found
        if lowered[0] == "$peeklock":
            return await self._look_inside()
        if self._is_administration(lowered):
            return self._administer()
        if "messages" not in lowered[1:]:
            raise RestRefused(404, "No service is hosted at the specified address.")
        at = len(lowered) - 1 - lowered[::-1].index("messages")
        entity, rest = "/".join(self._parts[:at]), self._parts[at + 1 :]
        match [self._method, *(part.lower() if part.lower() == "head" else part for part in rest)]:
            case ["POST"]:
                return await self._post(entity)
            case ["POST", "head"]:
                return await self._receive(entity, peek_lock=True)
            case ["DELETE", "head"]:
                return await self._receive(entity, peek_lock=False)
            case ["PUT" | "DELETE" | "POST", _, lock]:
                return await self._settle(entity, lock)
        raise RestRefused(400, f"The specified HTTP verb ({self._method}) is not valid.")

    def _about_itself(self, lowered: list[str]) -> HttpReply | None:
        """Answer `/health`, which is open to anybody, and `/metrics`, for who may manage the namespace; None for all
        else. Administrators name the version of their API, so entities may have these names."""
        if "api-version" in self._query or lowered not in (["health"], ["metrics"]):
            return None
        if lowered == ["metrics"]:
            self._authorize("", "Manage")
            text = render([self._context])
            return HttpReply(200, text.encode(), CONTENT_TYPE)
        status, report = health([self._context], self._context.monitor, self._context.namespace.clock.now())
        return HttpReply(status, json.dumps(report).encode())

    async def _look_inside(self) -> HttpReply:
        """Answer what the control API would of this namespace, to who may manage it."""
        self._authorize("", "Manage")
        try:
            document = json.loads(self._body) if self._body.strip() else {}
            found = await answer(self._administration, self._method, self._parts[1:], self._query, document)
        except (ValueError, RecursionError):
            raise RestRefused(400, "The body is not JSON.") from None
        except Refused as refused:
            raise RestRefused(refused.status, str(refused)) from None
        if found is None:
            raise RestRefused(404, "No service is hosted at the specified address.")
        status, told = found
        if isinstance(told, LedgerFeed):
            return HttpReply(200, kind="application/x-ndjson", stream=told.lines)
        return HttpReply(status, kind="") if told is None else HttpReply(status, json.dumps(told).encode())

    def _is_administration(self, lowered: list[str]) -> bool:
        """Tell the administration API from the data plane, which has one address but for `messages` in it (S-82)."""
        if self._method not in ("GET", "PUT", "DELETE") or not lowered[0]:
            return False
        atom = self._headers.get("content-type", "").lower().startswith("application/atom+xml")
        return atom or "messages" not in lowered[1:] or (self._method == "GET" and "api-version" in self._query)

    def _administer(self) -> HttpReply:
        from peeklock.servicebus.gateway.admin import AdminRequest  # here: for the first administrator

        base = f"{self._scheme}://{self._headers.get('host', 'localhost')}"
        parts = [part for joined in self._parts for part in joined.split("/")]
        request = AdminRequest(
            self._context, self._administration, self._method, parts, self._query, base, self._allow_forward
        )
        self._authorize(request.path, "Manage")
        replaces = self._headers.get("if-match") == "*"
        status, body = request.answer(self._body, replaces=replaces)
        kind = "feed" if b"<feed" in body[:200] else "entry"
        return HttpReply(status, body, f"application/atom+xml;type={kind};charset=utf-8")

    def _allow_forward(self, setting: str, target: str) -> None:
        """Check that the sender may send to where an entity is to forward: by the token for that, which the SDKs bring in a
        header of its own, else by the request's own (S-68)."""
        dead = setting == "forward_dead_lettered_messages_to"
        header = "servicebusdlqsupplementaryauthorization" if dead else "servicebussupplementaryauthorization"
        self._authorize(path_of(target), "Send", self._headers.get(header))

    def _authorize(self, entity: str, right: str, token: str | None = None) -> str:
        """Return the name of the rule that allows it; authorisation comes before existence (S-22)."""
        token = token or self._headers.get("authorization", "")
        if not token:
            raise RestRefused(401, "MissingToken: the authorization header is missing.")
        try:
            claim = self._context.tokens.verify(token, entity, self._path)
        except TokenRefused as refused:
            self._context.log("token.refused", reason=refused.reason, audience=entity[:200], peer="REST")
            detail = str(refused.description)
            if detail.startswith("InvalidSignature"):
                detail = "Invalid authorization token signature"
            raise RestRefused(401, self._tracked(detail, entity)) from None
        if right not in claim.rights:
            self._context.tell_refusal(entity, right, claim.principal)
            raise RestRefused(401, self._tracked(f"Unauthorized access. '{right}' claim(s) are required.", entity))
        return claim.named(right)

    def _tracked(self, detail: str, entity: str) -> str:
        return tracked(detail, self._context.namespace.name, entity)

    def _queue(self, entity: str) -> Any:
        return self._context.namespace.entity(entity)

    async def _held(self, queue: Queue, is_held: Callable[[Interference, Callable[[], None]], bool]) -> None:
        """Wait for as long as a fault keeps an operation; for ever, when that drops it: the client has to give up."""
        if queue.faults is None:
            return
        resumed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def resume() -> None:
            if not resumed.done():
                resumed.set_result(None)

        if is_held(queue.faults, resume):
            self._context.turns.end()
            await resumed

    async def _post(self, entity: str) -> HttpReply:
        principal = self._authorize(entity, "Send")
        queue: Queue = self._queue(entity)
        if self._headers.get("content-type", "").partition(";")[0].strip().lower() == _BATCH:
            contents = [envelope(*item) for item in self._batch()]
        else:
            broker = json_object(self._headers.get("brokerproperties", "{}"), "the header BrokerProperties")
            own = {n: property_of(v) for n, v in self._raw_headers if n.lower() not in _NOT_PROPERTIES}
            contents = [envelope(self._body, broker, own, self._headers.get("content-type"))]
        for content in contents:
            content.sender = principal
        message_id = contents[0].message_id
        await self._held(queue, lambda faults, resume: faults.holds_send("send", message_id, principal, resume))
        if queue.faults is not None:
            queue.faults.admit("send", principal)
        queue.send(contents)
        self._context.turns.end()
        await self._held(queue, lambda faults, resume: faults.holds_send("answer", message_id, principal, resume))
        return HttpReply(201, kind="application/xml; charset=utf-8")

    def _batch(self) -> list[tuple[bytes, dict[str, Any], dict[str, Any], str | None]]:
        items = read_json(self._body, "The batch")
        if not isinstance(items, list) or not items or not all(isinstance(item, dict) for item in items):
            raise RestRefused(400, "The batch is not a JSON array of {Body, BrokerProperties, UserProperties}.")
        result = []
        for item in items:
            broker, user = item.get("BrokerProperties") or {}, item.get("UserProperties") or {}
            if not isinstance(broker, dict) or not isinstance(user, dict):
                raise RestRefused(400, "BrokerProperties and UserProperties are JSON objects.")
            result.append((str(item.get("Body", "")).encode(), broker, user, broker.get("ContentType")))
        return result

    async def _receive(self, entity: str, *, peek_lock: bool) -> HttpReply:
        principal = self._authorize(entity, "Listen")
        queue: Queue = self._queue(entity)
        queue.gate.admit_receiver()
        if queue.faults is not None:
            queue.faults.admit("receive", principal)
        if queue.sessions is not None:
            raise RestRefused(400, f"'{queue.name}' requires sessions: they are received over AMQP only (S-60).")
        taker = _Taker(principal, peek_lock=peek_lock)
        try:
            seconds = min(max(float(self._query.get("timeout", ["60"])[0]), 0.0), MAX_WAIT)
            if seconds != seconds:
                raise ValueError
        except ValueError:
            raise RestRefused(400, "'timeout' is a number of seconds.") from None
        queue.dispatch.add(taker)
        queue.dispatch.wake(taker)
        try:
            message = await asyncio.wait_for(asyncio.shield(taker.taken), seconds)
        except TimeoutError:
            return HttpReply(204, kind="")
        finally:
            queue.dispatch.remove(taker)
            self._context.turns.end()
        return self._rendered(message, entity, peek_lock=peek_lock)

    def _rendered(self, message: Message, entity: str, *, peek_lock: bool) -> HttpReply:
        content: Envelope = message.content
        properties = _readable(content.properties)
        facts: dict[str, Any] = {
            "DeliveryCount": message.delivery_count + 1,
            "EnqueuedSequenceNumber": message.origin or 0,
            "EnqueuedTimeUtc": _http_date(message.enqueued_at),
            "MessageId": content.message_id,
            "SequenceNumber": message.sequence,
            "State": "Active",
        }
        named = {"CorrelationId": "correlation_id", "Label": "subject", "To": "to", "ReplyTo": "reply_to"}
        facts |= {name: text_of(properties[key]) for name, key in named.items() if properties.get(key) is not None}
        if content.session_id is not None:
            facts["SessionId"] = content.session_id
        if content.ttl is not None:
            facts["TimeToLive"] = content.ttl
        headers: list[tuple[str, str]] = []
        if peek_lock:
            token = str(uuid.UUID(bytes_le=bytes(message.token)))
            facts |= {"LockToken": token, "LockedUntilUtc": _http_date(message.locked_until)}
            headers.append(
                (
                    "location",
                    f"{self._scheme}://{self._headers.get('host', 'localhost')}/{quote(entity)}/messages/{message.sequence}/{token}",
                )
            )
        headers += [
            (name, json.dumps(json_safe(value)))
            for name, value in _readable(content.application_properties).items()
            if _is_token(name)
        ]
        headers.append(("BrokerProperties", json.dumps(facts)))
        try:
            form, parts = content.body()
        except DecodeError:
            form, parts = "data", [content.raw_body()]
        body = b"".join(part for part in parts if isinstance(part, bytes))
        if form == "value" and isinstance(parts[0], str):
            body = parts[0].encode()
        kind = text_of(properties.get("content_type") or "application/octet-stream")
        return HttpReply(201 if peek_lock else 200, body, kind, tuple(headers))

    async def _settle(self, entity: str, lock: str) -> HttpReply:
        principal = self._authorize(entity, "Listen")
        queue: Queue = self._queue(entity)
        try:
            token = uuid.UUID(lock).bytes_le
        except ValueError:
            raise RestRefused(400, f"The lock token '{lock}' is no UUID.") from None
        if self._method != "POST":
            settlement = {"PUT": "abandon", "DELETE": "complete"}[self._method]
            await self._held(queue, lambda faults, resume: faults.holds_settlement(settlement, token, resume))
            if queue.faults is not None:
                queue.faults.admit("settle", principal)
                if queue.faults.swallows(token, settlement):
                    self._context.turns.end()
                    return HttpReply(200, kind="")
        queue.gate.touch()
        {"PUT": queue.settlement.abandon, "DELETE": queue.settlement.complete, "POST": queue.settlement.renew}[
            self._method
        ](token)
        self._context.turns.end()
        return HttpReply(200, kind="")


def _readable(section: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return a section's values; none when its sender has spoilt it: the message is delivered, as it is over AMQP."""
    try:
        return section()
    except DecodeError:
        return {}


def _is_token(name: str) -> bool:
    return bool(name) and all(char.isalnum() or char in "!#$%&'*+-.^_`|~" for char in name) and name.isascii()


def _http_date(seconds: float) -> str:
    return format_datetime(datetime.fromtimestamp(seconds, UTC), usegmt=True)
