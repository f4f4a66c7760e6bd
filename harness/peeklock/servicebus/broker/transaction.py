"""Transactions: sends and settlements that happen together or not at all (S-74, S-75).

What is posted is checked at once and happens at the commit. The clock is that of the namespace: a transaction that is
two minutes old is rolled back.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from peeklock.servicebus.ledger import EventKind
from peeklock.servicebus.paths import DEAD_LETTER_SUFFIX, TRANSFER_SUFFIX

from .errors import BrokerError, EntityNotFound, MessageLockLost, NotAllowed, QuotaExceeded
from .intake import Intake
from .message import Content, Message
from .queue import Queue, Surroundings
from .timers import NEVER
from .transfer import Transfer

TIMEOUT = 120.0
"""How many seconds a transaction may last."""
MAX_MESSAGES = 100
MAX_OPEN = 1_000
"""How many transactions one connection may have open."""
SPAN_TEXT = "Local transactions cannot span multiple top-level entities such as queue or topic."
UNKNOWN_TEXT = "Transaction hasn't been declared yet, or has already been discharged."

Route = Queue | Transfer


class UnknownTransaction(BrokerError):
    """No transaction of this connection has that id (any more)."""

    condition = "amqp:transaction:unknown-id"
    status = 404

    def __init__(self) -> None:
        super().__init__(UNKNOWN_TEXT)


class RolledBack(BrokerError):
    """A transaction that was to be committed could not be: nothing of it has happened."""

    condition = "amqp:transaction:rollback"
    status = 410


def top_level(name: str) -> str:
    """Return the name, in lower case, of the queue or topic to which an entity belongs."""
    lowered = name.lower().removesuffix(DEAD_LETTER_SUFFIX).removesuffix(TRANSFER_SUFFIX)
    return lowered.partition("/subscriptions/")[0]


class Transaction:
    """What one transaction has posted so far."""

    __slots__ = (
        "_claimed", "_find", "_pinned", "_sends", "_work",
        "connection", "deadline", "doomed", "entity", "id", "messages", "owner",
    )  # fmt: skip

    def __init__(
        self,
        deadline: float,
        connection: object,
        owner: object,
        find: Callable[[str], Queue],
        claimed: dict[bytes, Transaction],
    ) -> None:
        self.id = random.getrandbits(128).to_bytes(16, "big")
        self.deadline = deadline
        self.connection = connection
        self.owner = owner
        self.entity: str | None = None
        """The one top-level entity of everything in it; None while it is empty."""
        self.messages = 0
        self.doomed: str | None = None
        """Why it cannot be committed: something that nobody waited for an answer to was refused."""
        self._find = find
        self._claimed = claimed
        self._sends: dict[Route, list[Content]] = {}
        self._pinned: list[tuple[Queue, bytes]] = []
        self._work: list[Callable[[], Any]] = []

    # -- posting

    def send(self, route: Route, contents: Sequence[Content]) -> None:
        """Post messages, all or none. Raises what sending them now would raise, and `NotAllowed` for a second entity."""
        entity = route.via if isinstance(route, Transfer) else route
        self._gather(route, entity, contents)
        self._post(entity, len(contents), partial(_way(route).take, contents))

    def schedule(self, queue: Queue, contents: Sequence[Content]) -> list[int]:
        """Post scheduled messages; return the sequence numbers that they will have."""
        self._gather(queue, queue, contents)
        numbers = queue.log.reserve(contents)
        self._post(queue, len(contents), partial(queue.intake.place, contents, numbers))
        return numbers

    def at(self, queue: Queue) -> Enlisted:
        """Return what settles messages of an entity in this transaction, with the methods of the entity itself."""
        return Enlisted(self, queue)

    def settle(self, queue: Queue, token: bytes, action: Callable[[], Any]) -> None:
        """Post what shall happen to a locked message. Raises `MessageLockLost`, also when a transaction has it already."""
        queue.expire_due()
        self._admit(queue, 1)
        if token in self._claimed or queue.settlement.locked(token) is None:
            raise MessageLockLost
        self._claimed[token] = self
        self._pinned.append((queue, token))
        self._post(queue, 1, action)

    def renew(self, queue: Queue, token: bytes) -> float:
        """Lock a message for another lock duration; return until when. It is told at once, so no rollback takes it back."""
        self._admit(queue, 0)
        until = queue.settlement.renew(token)
        self._post(queue, 0)
        return until

    def _gather(self, route: Route, entity: Queue, contents: Sequence[Content]) -> None:
        """Put messages to those that take the same route. Raises what sending all of them now would raise."""
        self._admit(entity, len(contents))
        gathered = [*self._sends.get(route, ()), *contents]
        _way(route).check(gathered)
        self._sends[route] = gathered

    def _admit(self, queue: Queue, more: int) -> None:
        if self.entity is not None and self.entity.lower() != top_level(queue.name):
            raise NotAllowed(SPAN_TEXT)
        if self.messages + more > MAX_MESSAGES:
            raise QuotaExceeded(f"Cannot send more than {MAX_MESSAGES} messages in a single transaction.")

    def _post(self, queue: Queue, messages: int, step: Callable[[], Any] | None = None) -> None:
        """Note what was admitted; its entity is that of the transaction from now on."""
        self.entity = queue.name[: len(top_level(queue.name))]
        self.messages += messages
        if step is not None:
            self._work.append(step)

    # -- the end

    def prepare(self) -> None:
        """Raise `BrokerError` when something that was posted cannot happen any more; else see to it that it can."""
        if self.doomed is not None:
            raise RolledBack(self.doomed)
        held: list[Message] = []
        for route, contents in self._sends.items():
            self._still_there(route.via if isinstance(route, Transfer) else route)
            _way(route).check(contents)
        for queue, token in self._pinned:
            message = queue.settlement.locked(token)
            if message is None:
                self._still_there(queue)
                raise MessageLockLost
            held.append(message)
        for message in held:
            # the clock goes on: a lock that holds now must not end half-way through the commit
            message.locked_until = NEVER

    def _still_there(self, queue: Queue) -> None:
        if self._find(queue.name) is not queue:
            raise EntityNotFound(f"The messaging entity '{queue.name}' was deleted, and made anew.")

    def apply(self) -> None:
        """Do what was posted; `prepare` has passed just now."""
        self.release()
        for step in self._work:
            step()

    def release(self) -> None:
        """Let go of the messages that it was to settle: their locks stay as they are."""
        for _, token in self._pinned:
            self._claimed.pop(token, None)


def _way(route: Route) -> Intake | Transfer:
    return route if isinstance(route, Transfer) else route.intake


class Enlisted:
    """Settles messages of one entity in a transaction: at its commit, or never."""

    __slots__ = ("_queue", "_transaction")

    def __init__(self, transaction: Transaction, queue: Queue) -> None:
        self._transaction = transaction
        self._queue = queue

    def complete(self, token: bytes) -> None:
        """Post a completion. Raises `MessageLockLost`, as all settlements do."""
        self._transaction.settle(self._queue, token, partial(self._queue.settlement.complete, token))

    def abandon(self, token: bytes, properties: dict[str, Any] | None = None) -> None:
        """Post an abandoning."""
        self._try(token, properties)
        self._transaction.settle(self._queue, token, partial(self._queue.settlement.abandon, token, properties))

    def release(self, token: bytes) -> None:
        """Post a release."""
        self._transaction.settle(self._queue, token, partial(self._queue.settlement.release, token))

    def defer(self, token: bytes, properties: dict[str, Any] | None = None) -> None:
        """Post a deferral."""
        self._try(token, properties)
        self._transaction.settle(self._queue, token, partial(self._queue.settlement.defer, token, properties))

    def dead_letter(
        self,
        token: bytes,
        reason: str | None = None,
        description: str | None = None,
        properties: dict[str, Any] | None = None,
    ) -> None:
        """Post a dead-lettering. Raises `NotAllowed` in a dead-letter queue (S-51)."""
        self._queue.settlement.admit_dead_letter()
        self._try(token, properties)
        action = partial(self._queue.settlement.dead_letter, token, reason, description, properties)
        self._transaction.settle(self._queue, token, action)

    def renew(self, token: bytes) -> float:
        """Renew a lock, now."""
        return self._transaction.renew(self._queue, token)

    def _try(self, token: bytes, properties: dict[str, Any] | None) -> None:
        """Raise now what changing these properties would raise at the commit."""
        message = self._queue.settlement.locked(token)
        if message is not None and properties:
            message.content.updated(properties)


class Transactions:
    """The open transactions of a namespace."""

    def __init__(self, surroundings: Surroundings, find: Callable[[str], Queue]) -> None:
        self._now = surroundings.clock.now
        self._ledger = surroundings.ledger
        self._find = find
        self._timer = surroundings.timers.timer(self._expire_due, self._next_due)
        self._open: dict[bytes, Transaction] = {}
        self._of: dict[object, dict[bytes, Transaction]] = {}
        """The open ones of each connection."""
        self._claimed: dict[bytes, Transaction] = {}

    def __len__(self) -> int:
        return len(self._open)

    def declare(self, connection: object, owner: object) -> Transaction:
        """Begin a transaction for a connection, through its coordinator link `owner`. Raises `QuotaExceeded`."""
        mine = self._of.setdefault(connection, {})
        if len(mine) >= MAX_OPEN:
            raise QuotaExceeded(f"A connection may have {MAX_OPEN} transactions open at once.")
        transaction = Transaction(self._now() + TIMEOUT, connection, owner, self._find, self._claimed)
        self._open[transaction.id] = mine[transaction.id] = transaction
        self._timer.arm(transaction.deadline)
        return transaction

    def get(self, id_: bytes, connection: object) -> Transaction:
        """Return an open transaction of a connection. Raises `UnknownTransaction`."""
        self._expire_due()
        transaction = self._open.get(id_)
        if transaction is None or transaction.connection is not connection:
            raise UnknownTransaction
        return transaction

    def discharge(self, id_: bytes, connection: object, *, fail: bool) -> None:
        """End a transaction: all of it happens, or with `fail` nothing. Raises `UnknownTransaction`, `EntityNotFound`, and
        `RolledBack` when something that was posted cannot happen any more."""
        transaction = self.get(id_, connection)
        if fail:
            self._roll_back(transaction, "it was discharged as failed")
            return
        try:
            transaction.prepare()
        except BrokerError as refused:
            self._roll_back(transaction, refused.description)
            if isinstance(refused, EntityNotFound):
                raise
            raise RolledBack(f"The transaction was rolled back: {refused.description}") from None
        self._close(transaction)
        self._record(EventKind.TRANSACTION_COMMITTED, transaction, {})
        transaction.apply()

    def abort(self, connection: object, owner: object) -> None:
        """Roll back what was declared through a coordinator link that is gone."""
        for transaction in [known for known in self._of.get(connection, {}).values() if known.owner is owner]:
            self._roll_back(transaction, "its coordinator link was closed")

    def clear(self) -> None:
        """Roll everything back."""
        for transaction in list(self._open.values()):
            self._roll_back(transaction, "the namespace was reset")

    def _expire_due(self) -> None:
        """Roll back the transactions that have lasted too long."""
        now = self._now()
        while self._open:
            oldest = next(iter(self._open.values()))
            if oldest.deadline > now:
                break
            self._roll_back(oldest, f"it was not discharged within {TIMEOUT:g} s")

    def _next_due(self) -> float:
        return next(iter(self._open.values())).deadline if self._open else NEVER

    def _roll_back(self, transaction: Transaction, reason: str) -> None:
        self._close(transaction)
        transaction.release()
        self._record(EventKind.TRANSACTION_ROLLED_BACK, transaction, {"reason": reason})

    def _close(self, transaction: Transaction) -> None:
        del self._open[transaction.id]
        mine = self._of[transaction.connection]
        del mine[transaction.id]
        if not mine:
            del self._of[transaction.connection]

    def _record(self, event: EventKind, transaction: Transaction, details: dict[str, Any]) -> None:
        told = {"transaction": transaction.id.hex(), "messages": transaction.messages, **details}
        self._ledger.record_entity(self._now(), transaction.entity or "", event, told)
