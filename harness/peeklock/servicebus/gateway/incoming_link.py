"""A client's sender: the link by which messages come into an entity."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from peeklock.servicebus.amqp import DecodeError, Envelope, Receiver, frames
from peeklock.servicebus.amqp import events as ev
from peeklock.servicebus.amqp.errors import DECODE_ERROR, INTERNAL_ERROR, SIZE_EXCEEDED, AmqpError
from peeklock.servicebus.amqp.message import batch
from peeklock.servicebus.amqp.sections import BATCH_FORMAT
from peeklock.servicebus.amqp.transactions import transactional
from peeklock.servicebus.broker import BrokerError, Queue
from peeklock.servicebus.broker.transaction import Transaction
from peeklock.servicebus.broker.transfer import Transfer

from .client_connection import ClientConnection, transaction_of
from .failures import INTERNAL_TEXT
from .ports import LinkHandler

SENDER_CREDIT = 10_000


class IncomingLink(LinkHandler):
    """A client's sender: every message goes to one queue, or through it to another one."""

    role = "sender"
    link: Receiver
    queue: Queue

    def __init__(
        self,
        connection: ClientConnection,
        link: Receiver,
        queue: Queue,
        principal: str,
        transfer: Transfer | None = None,
    ) -> None:
        super().__init__(link, queue)
        self.principal = principal
        self._connection = connection
        self._route: Queue | Transfer = transfer or queue
        self._paths = [queue.name]
        """The entities for which the client needs the right to send."""
        if transfer is not None:
            self._paths.append(transfer.destination)

    def lapsed(self) -> str | None:
        """Return the entity to which the client may not send any more, if there is one (S-24)."""
        return next((path for path in self._paths if not self._connection.claims.allows(path, "Send")), None)

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
                transaction = transaction_of(self._connection, event)
            if self.queue.faults is not None:
                self.queue.faults.admit("send", self.principal)
            if payload is None:
                raise AmqpError(SIZE_EXCEEDED, f"The message is longer than {self.link.max_message_size} bytes.")
            contents: Sequence[Envelope] = (
                batch(payload) if event.message_format == BATCH_FORMAT else (Envelope(payload),)
            )
            for content in contents:
                content.sender = self.principal
            if transaction is None:
                self._route.send(contents)
            else:
                transaction.send(self._route, contents)
        except BrokerError as error:
            state = self._refusal(AmqpError(error.condition, error.description))
        except DecodeError as error:
            state = self._refusal(AmqpError(DECODE_ERROR, str(error)))
        except AmqpError as error:
            state = self._refusal(error)
        except Exception as error:  # noqa: BLE001 -- the client is told, and the log knows where
            self._connection.context.failures.unforeseen(error, f"a message for '{self.queue.name}'")
            state = frames.rejected(AmqpError(INTERNAL_ERROR, INTERNAL_TEXT))
        if not event.settled:
            if transaction is not None:
                state = transactional(transaction.id, state)
            if self.queue.faults is None or not self._is_held(event, "answer", lambda: self._answer(event, state)):
                self.link.settle(event.id, state)
        elif transaction is not None and state is not frames.ACCEPTED:
            transaction.doomed = "a message that was sent settled was refused"

    def _answer(self, event: ev.Delivery, state: bytes) -> None:
        self.link.settle(event.id, state)
        self._connection.touch()

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
        return self.queue.faults.holds_send(
            operation, message_id, self.principal, lambda: self._connection.later(resume)
        )

    def _refusal(self, error: AmqpError) -> bytes:
        self._connection.context.failures.count(error.condition, self.queue.name)
        return frames.rejected(error)
