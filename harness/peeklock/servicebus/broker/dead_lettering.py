"""How messages leave an entity that nobody could consume: to its dead-letter queue, or for good (S-49 to S-52)."""

from __future__ import annotations

from typing import Any, Protocol

from peeklock.servicebus.entity_settings import EntitySettings
from peeklock.servicebus.ledger import EventKind

from .errors import NotAllowed
from .log import MessageLog
from .message import Content, Message

HEADER_REASON = "HeaderSizeExceeded"
HEADER_TEXT = "The size quota for this stream has been exceeded."
SESSION_NEEDED_REASON = "Session ID is null."
SESSION_NEEDED_TEXT = "Session enabled entity doesn't allow a message whose session identifier is null."


class DeadLetterQueue(Protocol):
    """What takes the messages that another entity has given up."""

    def accept(self, source: Message, content: Content, now: float) -> None:
        """Take a message; it keeps its delivery count, and has a number of its own here."""


class DeadLettering:
    """Moves the messages of one entity to `queue`; where that is None, as in a dead-letter queue, they stay or vanish."""

    __slots__ = ("_log", "queue", "settings")

    def __init__(self, log: MessageLog, settings: EntitySettings, queue: DeadLetterQueue | None) -> None:
        self._log = log
        self.settings = settings
        self.queue = queue

    def admit(self) -> None:
        """Raise `NotAllowed` where there is no dead-letter queue (S-51)."""
        if self.queue is None:
            raise NotAllowed(f"A message cannot be dead-lettered out of '{self._log.name}'.")

    def bury(
        self,
        message: Message,
        now: float,
        reason: str | None,
        description: str | None,
        properties: dict[str, Any] | None = None,
        *,
        failed: bool = False,
    ) -> None:
        """Move a message that the entity holds; with `failed` its last delivery counts (S-49)."""
        details = {"reason": reason, "description": description}
        self._log.record(now, EventKind.DEAD_LETTERED, message, message.consumer, details)
        self._log.drop(message)
        message.delivery_count += failed
        self._hand_on(message, now, reason, description, properties)

    def bury_at_birth(self, content: Content, now: float, origin: int | None, reason: str, text: str) -> None:
        """Move a message that cannot stand in the entity; it gets a number as if it had (S-52)."""
        (number,) = self._log.reserve((content,))
        message = Message(content, number, now, None)
        message.origin = origin
        self._log.record(now, EventKind.DEAD_LETTERED, message, None, {"reason": reason, "description": text})
        self._hand_on(message, now, reason, text)

    def expire(self, message: Message, now: float) -> None:
        """Let a message go whose time to live is over (S-50)."""
        if self.settings.dead_lettering_on_expiration and self.queue is not None:
            self.bury(message, now, "TTLExpiredException", "The message expired and was dead lettered.")
            return
        self._log.record(now, EventKind.EXPIRED, message, None, {"reason": "TTLExpiredException"})
        self._log.drop(message)

    def _hand_on(
        self,
        message: Message,
        now: float,
        reason: str | None,
        description: str | None,
        properties: dict[str, Any] | None = None,
    ) -> None:
        assert self.queue is not None
        added = dict(properties or {})
        if reason is not None:
            added["DeadLetterReason"] = reason
        if description is not None:
            added["DeadLetterErrorDescription"] = description
        self.queue.accept(message, message.content.updated(added) if added else message.content, now)
