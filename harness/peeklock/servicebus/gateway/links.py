"""The two data links of the gateway: into an entity and out of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from peeklock.servicebus.amqp import DecodeError, Envelope, Receiver, Sender, frames
from peeklock.servicebus.amqp import events as ev
from peeklock.servicebus.amqp.errors import DECODE_ERROR, SIZE_EXCEEDED, AmqpError
from peeklock.servicebus.amqp.message import batch
from peeklock.servicebus.amqp.sections import BATCH_FORMAT
from peeklock.servicebus.amqp.serial import distance
from peeklock.servicebus.amqp.transactions import transactional
from peeklock.servicebus.broker import BrokerError, Consumer, Message, Queue
from peeklock.servicebus.broker.errors import MessageLockLost

if TYPE_CHECKING:
    from peeklock.servicebus.broker.transaction import Enlisted, Transaction
    from peeklock.servicebus.broker.transfer import Transfer

    from .peer import Peer

SENDER_CREDIT = 10_000
UNSENT_LIMIT = 1 << 20
STANDARD_MESSAGE_KILOBYTES = 256
"""What the Standard tier takes; entities with more are Premium."""
_STATE_CODES = {"active": 0, "locked": 0, "locked deferred": 1, "deferred": 1, "scheduled": 2, "gone": 0}


def wire(message: Message, *, locked: bool, stated: bool = False) -> bytes:
    """Encode a queue's message for a receiver; `locked` adds locked-until and the lock token, `stated` the state, which
    peeked and deferred messages have and others have not (S-32; azure-servicebus counts the annotations)."""
    content: Envelope = message.content
    return content.wire(
        message.sequence,
        message.enqueued_at,
        _STATE_CODES[message.state] if stated else None,
        message.delivery_count,
        message.locked_until if locked else None,
        message.origin,
        message.token if locked else b"",
    )


class Inlet:
    """A client's sender: every message goes to one queue, or through it to another one."""

    def __init__(
        self, peer: Peer, link: Receiver, queue: Queue, principal: str, transfer: Transfer | None = None
    ) -> None:
        self.peer = peer
        self.link = link
        self.principal = principal
        self.queue = queue
        self.route: Queue | Transfer = transfer or queue
        self.paths = [queue.name]
        """The entities for which the client needs the right to send."""
        if transfer is not None:
            self.paths.append(transfer.destination)
        self.used = True
        """False when nothing has happened since somebody looked; `idle_since` is then the event loop's time."""
        self.idle_since = 0.0

    def lapsed(self) -> str | None:
        """Return the entity to which the client may not send any more, if there is one (S-24)."""
        return next((path for path in self.paths if not self.peer.allows(path, "Send")), None)

    def on_delivery(self, event: ev.Delivery) -> None:
        """Take a message or a batch, and answer with its outcome unless it came settled."""
        self.used = True
        payload = event.payload
        state = frames.ACCEPTED
        transaction: Transaction | None = None
        if self.queue.faults is not None and self._is_held(event, "send", lambda: self.on_delivery(event)):
            return
        try:
            if event.state is not None:
                transaction = self.peer.transaction_of(event)
            if self.queue.faults is not None:
                self.queue.faults.admit("send")
            if payload is None:
                raise AmqpError(SIZE_EXCEEDED, f"The message is longer than {self.link.max_message_size} bytes.")
            contents: Sequence[Envelope] = (
                batch(payload) if event.message_format == BATCH_FORMAT else (Envelope(payload),)
            )
            for content in contents:
                content.sender = self.principal
            if transaction is None:
                self.route.send(contents)
            else:
                transaction.send(self.route, contents)
        except BrokerError as error:
            state = self._refusal(AmqpError(error.condition, error.description))
        except DecodeError as error:
            state = self._refusal(AmqpError(DECODE_ERROR, str(error)))
        except AmqpError as error:
            state = self._refusal(error)
        if not event.settled:
            if transaction is not None:
                state = transactional(transaction.id, state)
            if self.queue.faults is None or not self._is_held(event, "answer", lambda: self._answer(event, state)):
                self.link.settle(event.id, state)
        elif transaction is not None and state is not frames.ACCEPTED:
            transaction.doomed = "a message that was sent settled was refused"

    def _answer(self, event: ev.Delivery, state: bytes) -> None:
        self.link.settle(event.id, state)
        self.peer.touch()

    def _is_held(self, event: ev.Delivery, operation: str, resume: Callable[[], None]) -> bool:
        """Tell whether a fault keeps it; of a batch, the first message's id counts."""
        if event.payload is None:
            return False
        try:
            contents = batch(event.payload) if event.message_format == BATCH_FORMAT else (Envelope(event.payload),)
            message_id = contents[0].message_id if contents else None
        except DecodeError:
            return False
        assert self.queue.faults is not None
        return self.queue.faults.holds(operation, None, message_id, lambda: self.peer.later(resume))

    def _refusal(self, error: AmqpError) -> bytes:
        self.peer.server.failed(error.condition, self.queue.name)
        return frames.rejected(error)

    def close(self) -> None:
        """Nothing is held for a sender."""


class Outlet(Consumer):
    """A client's receiver on one queue."""

    __slots__ = ("asked_from", "idle_since", "link", "peer", "queue", "used")

    def __init__(self, peer: Peer, link: Sender, queue: Queue, *, client_id: str | None, principal: str) -> None:
        super().__init__(
            peer.amqp.remote_container_id,
            link.name,
            peek_lock=link.snd_settle_mode != 1,
            client_id=client_id,
            principal=principal,
        )
        self.peer = peer
        self.link = link
        self.queue = queue
        self.used = True
        self.idle_since = 0.0
        self.asked_from = 0
        """The first delivery-id that may be of one for which the client has asked last."""

    def lapsed(self) -> str | None:
        """Return the entity from which the client may not receive any more (S-24)."""
        return None if self.peer.allows(self.queue.name, "Listen") else self.queue.name

    def facts(self) -> dict[str, Any]:
        """Tell of it, on which connection it is, until when it may receive by the tokens that were shown (None: for ever), and
        how many of the messages for which it asked last it has not answered."""
        until = self.peer.authorized_until(self.queue.name, "Listen")
        lasting = None if until == float("inf") else until
        in_hand = sum(distance(self.asked_from, number) >= 0 for number in self.link.unsettled)
        connection = {"connection": self.peer.number, "authorized_until": lasting}
        return {**super().facts(), **connection, "in_hand": in_hand}

    @property
    def ready(self) -> bool:
        """True while there is credit, window, and room in the connection's output."""
        link = self.link
        if link.credit <= 0 or link.channel.remote_window <= 0 or link.detach_sent:
            return False
        peer = self.peer
        if peer.transport is None or peer.amqp.close_sent:
            return False  # what is handed over now would be locked for nobody
        if peer.paused or peer.unsent > UNSENT_LIMIT:
            peer.stalled = True
            return False
        return True

    @property
    def held_up(self) -> bool:
        """True while messages have to wait for the session's window or the connection's output: a drain waits, too."""
        return self.peer.stalled or self.link.channel.remote_window <= 0

    def deliver(self, message: Message) -> None:
        """Write the message to the connection; it goes out at the end of this turn."""
        peer = self.peer
        if self.peek_lock:
            raw = wire(message, locked=True)
            self.link.send(raw, tag=message.token, context=(self.queue, message.token))
        else:
            raw = wire(message, locked=False)
            self.link.send(raw, tag=b"", settled=True)
        peer.unsent += len(raw)
        if not peer.dirty:
            peer.touch()
        if self.peek_lock and self.queue.faults is not None:
            self.queue.faults.delivered(message)

    def on_credit(self) -> None:
        """The client asked for more, or to have its credit used up."""
        self.used = True
        self.asked_from = self.link.channel.next_delivery_id
        self.queue.wake(self)
        link = self.link
        if link.drain and not (link.credit > 0 and self.held_up):
            link.drained()

    def close(self) -> None:
        """Leave the queue; locks stay until they expire (S-46)."""
        if self.link.unsettled:
            self.peer.server.hands.cut(self)
        self.queue.remove_consumer(self)


def settle(event: ev.Outcome, peer: Peer) -> None:
    """Do what a receiver's disposition asks for and echo its outcome, unless it came settled (S-41 to S-45)."""
    try:
        if event.context is None:
            raise MessageLockLost
        queue, token = event.context
        if queue.faults is not None:
            settlement = settlement_of(event.code, event.fields)
            if queue.faults.holds(settlement, token, None, lambda: peer.later(lambda: settle(event, peer))):
                return
        if queue.faults is not None and is_swallowed(queue, token, event.code, event.fields):
            state = echo(event.code, event.fields)
        else:
            state = apply(queue, token, event.code, event.fields)
    except BrokerError as error:
        peer.server.failed(error.condition, event.context[0].name if event.context else "")
        state = frames.rejected(AmqpError(error.condition, error.description))
    if not event.settled:
        peer.answer(event, state)


def is_swallowed(queue: Queue, token: bytes, code: int | None, fields: list[Any]) -> bool:
    """Ask an entity's faults for one settlement. Raises `BrokerError` when it is to fail."""
    assert queue.faults is not None
    queue.faults.admit("settle")
    return queue.faults.swallows(token, settlement_of(code, fields))


def settlement_of(code: int | None, fields: list[Any]) -> str:
    """Name what an outcome asks for (S-42)."""
    if code == frames.MODIFIED_CODE:
        return "defer" if len(fields) > 1 and fields[1] else "abandon"
    return {frames.ACCEPTED_CODE: "complete", frames.REJECTED_CODE: "dead_letter"}.get(code or 0, "release")


def echo(code: int | None, fields: list[Any]) -> bytes:
    """Return the encoded outcome that tells a receiver that its settlement was done (S-41)."""
    if code == frames.MODIFIED_CODE:
        fields = fields + [None] * (3 - len(fields))
        return frames.modified(bool(fields[0]), bool(fields[1]))
    return {frames.ACCEPTED_CODE: frames.ACCEPTED, frames.REJECTED_CODE: frames.REJECTED}.get(
        code or 0, frames.RELEASED
    )


def apply(queue: Queue | Enlisted, token: bytes, code: int | None, fields: list[Any]) -> bytes:
    """Settle one message by the outcome's code; return the encoded echo. Raises `BrokerError`."""
    if code == frames.ACCEPTED_CODE:
        queue.complete(token)
        return frames.ACCEPTED
    if code == frames.MODIFIED_CODE:
        fields = fields + [None] * (3 - len(fields))
        properties = fields[2] if isinstance(fields[2], dict) else None
        if fields[1]:
            queue.defer(token, properties)
        else:
            # .NET and Java leave delivery-failed out of an abandon
            queue.abandon(token, properties)
        return frames.modified(bool(fields[0]), bool(fields[1]))
    if code == frames.REJECTED_CODE:
        reason, description, others = dead_letter_details(fields)
        queue.dead_letter(token, reason, description, others)
        return frames.REJECTED
    queue.release(token)
    return frames.RELEASED


def dead_letter_details(fields: list[Any]) -> tuple[str | None, str | None, dict[str, Any]]:
    """Read reason, description and other properties out of a `rejected` outcome (S-42)."""
    failure = fields[0] if fields else None
    values = list(getattr(failure, "value", None) or [])
    values += [None] * (3 - len(values))
    info = {str(key): value for key, value in values[2].items()} if isinstance(values[2], dict) else {}
    reason, description = info.pop("DeadLetterReason", None), info.pop("DeadLetterErrorDescription", None)
    if description is None and values[1]:
        description = values[1]
    if reason is None and values[0] and str(values[0]) != "com.microsoft:dead-letter":
        reason = str(values[0])
    return (None if reason is None else str(reason)), (None if description is None else str(description)), info
