"""The transaction coordinator: declares and discharges, and what a connection posts in between (S-74, S-75)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peeklock.servicebus.amqp import DecodeError, Link, Receiver, frames
from peeklock.servicebus.amqp import events as ev
from peeklock.servicebus.amqp.errors import DECODE_ERROR, INVALID_FIELD, NOT_IMPLEMENTED, AmqpError
from peeklock.servicebus.amqp.transactions import (
    Declare,
    coordinator,
    declared,
    outcome_of,
    read_request,
    transactional,
)
from peeklock.servicebus.broker import BrokerError, Queue
from peeklock.servicebus.broker.errors import MessageLockLost, NotAllowed
from peeklock.servicebus.broker.transaction import SPAN_TEXT, Transaction
from peeklock.servicebus.broker.transfer import Transfer

from . import links

if TYPE_CHECKING:
    from .peer import Peer

CREDIT = 100
MAX_REQUEST_SIZE = 4_096


class TransactedSession:
    """A session with a coordinator link: the first entity that a link of it attaches to is the one of its transactions.

    Receivers of another entity are refused, even without a transaction, and what is sent to another one goes via the first.
    """

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._via: Queue | None = None

    def admit(self, link: Link, queue: Queue) -> Transfer | None:
        """Return the way that messages of a sender have to take, None for the direct one. Raises `NotAllowed`."""
        namespace = self._peer.server.namespace
        top = namespace.top_level(queue)
        if self._via is None:
            self._via = top
        if top is self._via:
            return None
        if link.is_sender:
            raise NotAllowed(SPAN_TEXT)
        return namespace.transfer(self._via, queue.name)


class Coordinator:
    """A client's link to the coordinator: its transactions are rolled back when it ends."""

    def __init__(self, peer: Peer, link: Receiver) -> None:
        self.peer = peer
        self.link = link

    def on_delivery(self, event: ev.Delivery) -> None:
        """Declare or discharge a transaction, and answer with the outcome."""
        transactions = self.peer.server.namespace.transactions
        state = frames.ACCEPTED
        try:
            if event.payload is None:
                raise DecodeError("the request is too long")
            request = read_request(event.payload)
            if not isinstance(request, Declare):
                transactions.discharge(request.id, self.peer, fail=request.fail)
            elif request.distributed:
                raise AmqpError(NOT_IMPLEMENTED, "Distributed transactions are not supported: leave global-id out.")
            else:
                state = declared(transactions.declare(self.peer, self).id)
        except BrokerError as error:
            self.peer.server.failed(error.condition)
            state = frames.rejected(AmqpError(error.condition, error.description))
        except DecodeError as error:
            state = frames.rejected(AmqpError(DECODE_ERROR, str(error)))
        except AmqpError as error:
            state = frames.rejected(error)
        if not event.settled:
            self.link.settle(event.id, state)

    def lapsed(self) -> None:
        """Nothing: it is the entities that ask for rights."""

    def close(self) -> None:
        """The link is gone."""
        self.peer.server.namespace.transactions.abort(self.peer, self)


def attach(peer: Peer, link: Link) -> None:
    """Answer a client that attaches to the coordinator."""
    assert isinstance(link, Receiver)
    peer.handlers[link.id] = Coordinator(peer, link)
    peer.transacted.setdefault(link.session, TransactedSession(peer))
    link.accept(target=coordinator(), max_message_size=MAX_REQUEST_SIZE)
    link.grant(CREDIT, auto=True)


def settle(peer: Peer, event: ev.Outcome) -> None:
    """Post what a receiver's disposition asks for, and echo its outcome in the transaction's state."""
    id_, code, fields = outcome_of(event.fields)
    queue, token = event.context or (None, b"")
    transaction: Transaction | None = None
    try:
        transaction = peer.server.namespace.transactions.get(id_, peer)
        if queue is None:
            raise MessageLockLost
        if code is None or code < frames.ACCEPTED_CODE:
            raise AmqpError(INVALID_FIELD, "A disposition in a transaction needs an outcome.")
        if queue.faults is not None:
            settlement = links.settlement_of(code, fields)
            if queue.faults.holds(settlement, token, None, lambda: peer.later(lambda: settle(peer, event))):
                return
        if queue.faults is not None and links.is_swallowed(queue, token, code, fields):
            outcome = links.echo(code, fields)
        else:
            outcome = links.apply(transaction.at(queue), token, code, fields)
    except (BrokerError, AmqpError) as error:
        peer.server.failed(error.condition, "" if queue is None else queue.name)
        outcome = frames.rejected(AmqpError(error.condition, error.description))
        if event.settled and transaction is not None:
            transaction.doomed = error.description
    if not event.settled:
        peer.answer(event, outcome if transaction is None else transactional(id_, outcome))
