"""What may come between a client and an entity on purpose: faults that a test has asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from .message import Message


class Interference(Protocol):
    """The faults of one entity; `Queue.faults` is None while there are none."""

    def admit(self, operation: str, principal: str) -> None:
        """Raise the `BrokerError` with which an operation of a principal is to fail: `send`, `receive`, `settle` or `manage`."""

    def swallows(self, token: bytes, settlement: str) -> bool:
        """True when the settlement of a locked message must not be done, though its sender is told that it was.
        `settlement` is `complete`, `abandon`, `defer`, `dead_letter` or `release`."""

    def holds_settlement(self, settlement: str, token: bytes, resume: Callable[[], None]) -> bool:
        """True when the settlement of the message that `token` locks is to be neither done nor answered for now; `resume` will
        do it."""

    def holds_send(self, operation: str, message_id: str | None, principal: str, resume: Callable[[], None]) -> bool:
        """True when a message is not to be taken for now (`send`), or its sender not told (`answer`); `resume` will do it."""

    def delivered(self, message: Message) -> None:
        """A message went out, locked for its receiver."""
