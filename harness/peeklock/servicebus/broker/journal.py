"""What a store has to hear, so that nothing is lost when the process ends without a word."""

from __future__ import annotations

from typing import Protocol

from .backlog import Backlog
from .message import Message
from .session import MessageSession


class Journal(Protocol):
    """Told of every change, while it happens and many times a message: it notes what has changed, and looks at it when the
    turn ends. What a client was answered must be kept by then."""

    def added(self, entity: Backlog, message: Message) -> None:
        """A message is new in an entity."""

    def revised(self, entity: Backlog, message: Message) -> None:
        """The content of a message has changed."""

    def moved(self, entity: Backlog, message: Message) -> None:
        """The state, the lock or the delivery count of a message has changed."""

    def gone(self, entity: Backlog, message: Message) -> None:
        """A message has left an entity."""

    def emptied(self, entity: Backlog) -> None:
        """All messages, session states and the duplicate history of an entity have gone."""

    def numbered(self, entity: Backlog) -> None:
        """A sequence number of an entity was used for a message that does not stay there."""

    def remembered(self, entity: Backlog, key: str, at: float) -> None:
        """A message-id has come into the duplicate history at an epoch second (S-57)."""

    def session_set(self, entity: Backlog, session: MessageSession) -> None:
        """The state of a session has changed (S-62)."""

    def configured(self, entity: Backlog) -> None:
        """An entity is new, or has other settings, another status or other rules."""

    def removed(self, entity: Backlog) -> None:
        """An entity is no more."""
