"""The transaction coordinator: declares and discharges, and what a connection posts in between (S-74, S-75)."""

from __future__ import annotations

from peeklock.servicebus.amqp import DecodeError, Link, Receiver, frames
from peeklock.servicebus.amqp import events as ev
from peeklock.servicebus.amqp.errors import DECODE_ERROR, INTERNAL_ERROR, INVALID_FIELD, NOT_IMPLEMENTED, AmqpError
from peeklock.servicebus.amqp.transactions import (
    Declare,
    coordinator,
    declared,
    outcome_of,
    read_request,
    transactional,
)
from peeklock.servicebus.broker import BrokerError, Namespace, Queue
from peeklock.servicebus.broker.errors import MessageLockLost, NotAllowed
from peeklock.servicebus.broker.transaction import SPAN_TEXT, Transaction
from peeklock.servicebus.broker.transfer import Transfer

from . import settlement
from .client_connection import ClientConnection
from .failures import INTERNAL_TEXT
from .ports import LinkHandler

CREDIT = 100
MAX_REQUEST_SIZE = 4_096


class TransactedSession:
    """A session with a coordinator link: the first entity that a link of it attaches to is the one of its transactions.

    Receivers of another entity are refused, even without a transaction, and what is sent to another one goes via the first.
    """

    def __init__(self, namespace: Namespace) -> None:
        self._namespace = namespace
        self._via: Queue | None = None

    def admit(self, link: Link, queue: Queue) -> Transfer | None:
        """Return the way that messages of a sender have to take, None for the direct one. Raises `NotAllowed`."""
        namespace = self._namespace
        top = namespace.top_level(queue)
        if self._via is None:
            self._via = top
        if top is self._via:
            return None
        if link.is_sender:
            raise NotAllowed(SPAN_TEXT)
        return namespace.transfer(self._via, queue.name)


class Coordinator(LinkHandler):
    """A client's link to the coordinator: its transactions are rolled back when it ends."""

    link: Receiver

    def __init__(self, connection: ClientConnection, link: Receiver) -> None:
        super().__init__(link)
        self._connection = connection

    def on_delivery(self, event: ev.Delivery) -> None:
        """Declare or discharge a transaction, and answer with the outcome."""
        transactions = self._connection.context.namespace.transactions
        state = frames.ACCEPTED
        try:
            if event.payload is None:
                raise DecodeError("the request is too long")
            request = read_request(event.payload)
            if not isinstance(request, Declare):
                transactions.discharge(request.id, self._connection, fail=request.fail)
            elif request.distributed:
                raise AmqpError(NOT_IMPLEMENTED, "Distributed transactions are not supported: leave global-id out.")
            else:
                state = declared(transactions.declare(self._connection, self).id)
        except BrokerError as error:
            self._connection.context.failures.count(error.condition)
            state = frames.rejected(AmqpError(error.condition, error.description))
        except DecodeError as error:
            state = frames.rejected(AmqpError(DECODE_ERROR, str(error)))
        except AmqpError as error:
            state = frames.rejected(error)
        except Exception as error:  # noqa: BLE001 -- the client is told, and the log knows where
            self._connection.context.failures.unforeseen(error, "a transaction")
            state = frames.rejected(AmqpError(INTERNAL_ERROR, INTERNAL_TEXT))
        if not event.settled:
            self.link.settle(event.id, state)

    def close(self) -> None:
        """The link is gone."""
        self._connection.context.namespace.transactions.abort(self._connection, self)


def attach(connection: ClientConnection, link: Receiver) -> None:
    """Answer a client that attaches to the coordinator."""
    connection.handlers[link.id] = Coordinator(connection, link)
    connection.scopes.setdefault(link.session, TransactedSession(connection.context.namespace))
    link.accept(target=coordinator(), max_message_size=MAX_REQUEST_SIZE)
    link.grant(CREDIT, auto=True)


def settle(connection: ClientConnection, event: ev.Outcome) -> None:
    """Post what a receiver's disposition asks for, and echo its outcome in the transaction's state."""
    id_, code, fields = outcome_of(event.fields)
    queue, token = event.context or (None, b"")
    transaction: Transaction | None = None
    try:
        transaction = connection.context.namespace.transactions.get(id_, connection)
        if queue is None:
            raise MessageLockLost
        if code is None or code < frames.ACCEPTED_CODE:
            raise AmqpError(INVALID_FIELD, "A disposition in a transaction needs an outcome.")
        if queue.faults is not None:
            kind = settlement.settlement_of(code, fields)
            if queue.faults.holds_settlement(kind, token, lambda: connection.later(lambda: settle(connection, event))):
                return
        if queue.faults is not None and settlement.is_swallowed(queue, token, code, fields):
            outcome = settlement.echo(code, fields)
        else:
            outcome = settlement.apply(transaction.at(queue), token, code, fields)
    except (BrokerError, AmqpError) as error:
        connection.context.failures.count(error.condition, "" if queue is None else queue.name)
        outcome = frames.rejected(AmqpError(error.condition, error.description))
        if event.settled and transaction is not None:
            transaction.doomed = error.description
    except Exception as error:  # noqa: BLE001 -- the client is told, and the log knows where
        connection.context.failures.unforeseen(error, "a settlement in a transaction")
        outcome = frames.rejected(AmqpError(INTERNAL_ERROR, INTERNAL_TEXT))
    if not event.settled:
        settlement.answer(connection, event, outcome if transaction is None else transactional(id_, outcome))
