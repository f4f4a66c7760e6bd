"""A client's connection, as its links see it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from peeklock.servicebus.amqp import AmqpError, Connection, Link
from peeklock.servicebus.amqp import events as ev
from peeklock.servicebus.amqp.transactions import transaction_of as named_transaction
from peeklock.servicebus.auth import Claim
from peeklock.servicebus.broker import Queue
from peeklock.servicebus.broker.transaction import Transaction
from peeklock.servicebus.broker.transfer import Transfer

from .context import NamespaceContext
from .output_buffer import OutputBuffer
from .ports import OpenConnection


class TransactionScope(Protocol):
    """What a session with a coordinator link says of its other links (S-75)."""

    def admit(self, link: Link, queue: Queue) -> Transfer | None:
        """Return the way that messages of a sender have to take, None for the direct one. Raises `NotAllowed`."""


class ClientConnection(OpenConnection, Protocol):
    """What links ask of the connection that they belong to."""

    context: NamespaceContext
    amqp: Connection
    output: OutputBuffer
    scopes: dict[int, TransactionScope]
    """Of the sessions that have a coordinator link, by their ids."""
    had_link: bool
    """True since a link to an entity was attached."""

    def touch(self) -> None:
        """Note that there is something to write at the end of the turn."""

    def later(self, act: Callable[[], None]) -> None:
        """Do what was held back, unless the client has gone meanwhile."""

    def refuse(self, link: Link, error: AmqpError, entity: str = "") -> None:
        """Answer an attach with the reason why not (S-7)."""

    def add_claim(self, claim: Claim) -> bool:
        """Keep what a token allows; return whether it renews an earlier one."""


def transaction_of(connection: ClientConnection, event: ev.Delivery) -> Transaction | None:
    """Return the transaction that a message names. Raises `UnknownTransaction` when it is not open (S-75)."""
    id_ = named_transaction(event.state)
    return None if id_ is None else connection.context.namespace.transactions.get(id_, connection)
