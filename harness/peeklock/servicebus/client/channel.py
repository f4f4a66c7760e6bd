"""One connection of the client: the engine on a blocking socket."""

from __future__ import annotations

import socket
import time
import uuid
from collections.abc import Callable
from typing import Any

from peeklock.servicebus.amqp import Connection, Envelope, Link, Receiver, Sender, Session, frames
from peeklock.servicebus.amqp import events as ev
from peeklock.servicebus.amqp.sections import build
from peeklock.servicebus.amqp.session import read_error
from peeklock.servicebus.amqp.types import Symbol, UInt

from .errors import ServiceBusError
from .session import FILTER as SESSION_FILTER

TIMEOUT = 30.0
_MANAGEMENT_CREDIT = 100


class Channel:
    """A connection with one session. Raises `ServiceBusError`, and `OSError` when the socket fails."""

    def __init__(self, host: str, port: int, *, tls: bool, timeout: float = TIMEOUT) -> None:
        self.timeout = timeout
        self._socket = socket.create_connection((host, port), timeout)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            import ssl  # 10 ms, which plain addresses need not pay

            plain = self._socket
            try:
                self._socket = ssl.create_default_context().wrap_socket(plain, server_hostname=host)
            except BaseException:
                plain.close()
                raise
        self.amqp = Connection(
            server=False, container_id=f"peeklock-{uuid.uuid4().hex[:12]}", hostname=host, idle_timeout=0.0
        )
        self.alive = True
        self.outcomes: dict[int, tuple[int | None, list[Any]]] = {}
        """Outcomes of our transfers, and of our dispositions, by delivery-id."""
        self.settled: dict[int, tuple[int | None, list[Any]]] = {}
        self.inbox: dict[int, list[ev.Delivery]] = {}
        """What has come, by the link's id."""
        self._detached: dict[int, ServiceBusError] = {}
        self._attached: set[int] = set()
        self._pairs: dict[str, tuple[Sender, Receiver]] = {}
        self._sasl = False
        self.amqp.start()
        try:
            self.wait(lambda: self._sasl, "the SASL handshake")
        except BaseException:
            self._socket.close()  # nobody else knows of it
            raise
        self.amqp.open()
        self.session: Session = self.amqp.begin()

    # -- turning

    def flush(self) -> None:
        """Send what the engine has."""
        raw = self.amqp.take_output()
        if raw:
            try:
                self._socket.settimeout(self.timeout)
                self._socket.sendall(raw)
            except OSError:
                self.alive = False
                raise

    def turn(self, timeout: float) -> bool:
        """Send, then read once for at most `timeout` seconds; False when nothing came."""
        self.flush()
        if not self.alive:
            raise ServiceBusError("amqp:connection:forced", "the connection is closed")
        self._socket.settimeout(max(timeout, 0.0001))
        try:
            data = self._socket.recv(262_144)
        except TimeoutError:
            return False
        except OSError:
            self.alive = False
            raise
        if not data:
            self.alive = False
            raise ServiceBusError("amqp:connection:forced", "the server hung up")
        self._handle(self.amqp.receive(data))
        self.flush()
        return True

    def poll(self) -> bool:
        """Read what came while nobody looked; return whether the connection is still up."""
        try:
            while self.alive and self.turn(0.0):
                pass
        except (ServiceBusError, OSError):
            self.alive = False
        return self.alive

    def wait(self, done: Callable[[], object], what: str, timeout: float | None = None) -> None:
        """Turn until `done()`. Raises `ServiceBusError` with `com.microsoft:timeout` when it takes too long."""
        limit = self.timeout if timeout is None else timeout
        deadline = time.monotonic() + limit
        while not done():
            left = deadline - time.monotonic()
            if left <= 0:
                raise ServiceBusError("com.microsoft:timeout", f"{what} took longer than {limit:g} s")
            self.turn(left)

    def _handle(self, events: list[ev.Event]) -> None:
        for event in events:
            if isinstance(event, ev.Delivery):
                self.inbox.setdefault(event.link, []).append(event)
            elif isinstance(event, ev.Outcome):
                book = self.outcomes if event.context is not None else self.settled
                for number in range(event.first, min(event.last, event.first + 5_000) + 1):
                    book[number] = (event.code, event.fields)
            elif isinstance(event, ev.LinkAttached):
                self._attached.add(event.link)
            elif isinstance(event, ev.LinkDetached):
                failure = event.error
                self._detached[event.link] = ServiceBusError(
                    failure.condition if failure else "amqp:link:detach-forced",
                    failure.description if failure else "the link was detached",
                )
            elif isinstance(event, ev.SaslDone):
                if not event.ok:
                    raise ServiceBusError("amqp:unauthorized-access", "the SASL handshake was refused")
                self._sasl = True
            elif isinstance(event, ev.Closed):
                self.alive = False
                if event.error is not None:
                    raise ServiceBusError(event.error.condition, event.error.description)

    # -- links

    def check(self, link: Link) -> bool:
        """Raise `ServiceBusError` with the peer's reason when the link is gone; else return False."""
        failure = self._detached.get(link.id)
        if failure is not None:
            raise failure
        return False

    def usable(self, link: Link | None) -> bool:
        """True when the connection and the link are up."""
        return link is not None and self.alive and link.id not in self._detached

    def attach_sender(self, address: str) -> Sender:
        """Attach a sender and wait for its first credit."""
        link = self._attach(Sender, address)
        assert isinstance(link, Sender)
        self.wait(lambda: link.credit > 0 or self.check(link), f"credit to send to '{address}'")
        return link

    def attach_receiver(self, address: str, *, settled: bool) -> Receiver:
        """Attach a receiver with no credit yet."""
        link = self._attach(Receiver, address, snd=1 if settled else 0, rcv=0 if settled else 1)
        assert isinstance(link, Receiver)
        return link

    def attach_session(self, address: str, session_id: str | None, *, settled: bool, patience: float) -> Receiver:
        """Attach a receiver to a message session, None for the next available one; wait `patience` seconds for it."""
        link = self._attach(
            Receiver,
            address,
            snd=1 if settled else 0,
            rcv=0 if settled else 1,
            filters={Symbol(SESSION_FILTER): session_id},
            properties={"com.microsoft:timeout": UInt(int(patience * 1000))},
            patience=patience,
        )
        assert isinstance(link, Receiver)
        return link

    def _attach(
        self,
        kind: type[Link],
        address: str,
        *,
        wait: bool = True,
        snd: int = 0,
        rcv: int = 0,
        filters: dict[Symbol, Any] | None = None,
        properties: dict[str, Any] | None = None,
        patience: float = 0.0,
    ) -> Link:
        name = f"{address}-{uuid.uuid4().hex[:8]}"
        source = frames.source(address if kind is Receiver else name, filters=filters)
        target = frames.target(address if kind is Sender else name)
        link = self.session.attach(
            kind, name, source=source, target=target, snd_settle_mode=snd, rcv_settle_mode=rcv, properties=properties
        )
        if wait:
            self.wait(lambda: link.id in self._attached, f"the link to '{address}'", self.timeout + patience)
            if link.source is None or link.target is None:
                self.wait(lambda: link.id in self._detached, f"the reason why '{address}' was refused")
            self.check(link)
        return link

    # -- transfers and requests

    def send(self, link: Sender, payloads: list[bytes], message_format: int = 0) -> None:
        """Send messages and wait until all are accepted. Raises the first refusal."""
        numbers = []
        for payload in payloads:
            if link.credit <= 0:
                self.wait(lambda: link.credit > 0 or self.check(link), "credit to send")
            numbers.append(link.send(payload, message_format=message_format, context=link))
        self.wait(lambda: self.check(link) or all(n in self.outcomes for n in numbers), "the outcome of a send")
        for outcome in [self.outcomes.pop(number) for number in numbers]:
            raise_refusal(outcome)

    def settle(self, delivery_id: int, link: Link, state: bytes) -> None:
        """Settle a received delivery and wait for the broker's echo."""
        self.settled.pop(delivery_id, None)
        self.session.settle(delivery_id, state, settled=False)
        self.wait(lambda: self.check(link) or delivery_id in self.settled, "the outcome of a settlement")
        outcome = self.settled.pop(delivery_id)
        code, fields = outcome
        if code == frames.REJECTED_CODE and fields and fields[0] is not None:
            raise_refusal(outcome)

    def request(
        self, node: str, properties: dict[str, Any], value: bytes, *, codes: tuple[str, str]
    ) -> tuple[int, Any]:
        """Send a request to `$cbs` or `$management`; return status and body. `codes` name the status fields.
        Raises `ServiceBusError` for any status from 300 on."""
        pair = self._pairs.get(node)
        if pair is None or not (self.usable(pair[0]) and self.usable(pair[1])):
            pair = self._open_pair(node)
        sender, receiver = pair
        message_id = uuid.uuid4().hex
        ids: list[Any] = [message_id, None, None, None, receiver.target.value[0]]
        raw = build(properties=ids + [None] * 8, application_properties=properties, value=value)
        self.send(sender, [raw])
        answer = self._answer(receiver, message_id, node)
        fields = answer.application_properties()
        status = int(fields.get(codes[0], 500))
        if status >= 300:
            condition = str(fields.get("errorCondition") or f"status:{status}")
            raise ServiceBusError(condition, str(fields.get(codes[1], "")))
        body = answer.body()[1]
        return status, body[0] if body else None

    def _answer(self, receiver: Receiver, message_id: str, node: str) -> Envelope:
        """Return the answer to one request; those to requests that nobody waits for any more are dropped."""
        box = self.inbox.setdefault(receiver.id, [])
        while True:
            self.wait(lambda: box or self.check(receiver), f"the answer of '{node}'")
            answer = Envelope(box.pop(0).payload or b"")
            if answer.properties().get("correlation_id") == message_id:
                return answer

    def _open_pair(self, node: str) -> tuple[Sender, Receiver]:
        receiver = self._attach(Receiver, node, wait=False, snd=1)
        sender = self._attach(Sender, node)
        self.wait(lambda: receiver.id in self._attached, f"the link to '{node}'")
        self.check(receiver)
        assert isinstance(receiver, Receiver)
        assert isinstance(sender, Sender)
        receiver.grant(_MANAGEMENT_CREDIT, auto=True)
        self.wait(lambda: sender.credit > 0 or self.check(sender), f"credit to ask '{node}'")
        self._pairs[node] = (sender, receiver)
        return sender, receiver

    def close(self) -> None:
        """Close the connection; never raises."""
        if self.alive:
            try:
                self.amqp.close()
                self.flush()
            except OSError:
                pass
        self.alive = False
        self._socket.close()


def raise_refusal(outcome: tuple[int | None, list[Any]]) -> None:
    """Raise `ServiceBusError` unless the outcome is accepted."""
    code, fields = outcome
    if code == frames.ACCEPTED_CODE:
        return
    failure = read_error(fields[0]) if fields else None
    if failure is None:
        raise ServiceBusError("amqp:not-accepted", f"the outcome was 0x{code or 0:02x}")
    raise ServiceBusError(failure.condition, failure.description)
