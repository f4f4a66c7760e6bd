"""Where a message goes that an entity has taken: to the end of a queue."""

from __future__ import annotations

from typing import Any, Protocol

from peeklock.servicebus.entity_settings import EntitySettings
from peeklock.servicebus.ledger import EventKind

from .dispatch import Dispatch
from .log import MessageLog
from .message import Content, Message

_ENQUEUED = EventKind.ENQUEUED
_ACTIVATED = EventKind.ACTIVATED  # looked up once: in Python 3.11 that costs as much as recording an entry


class Inbox(Protocol):
    """Takes messages whose time has come."""

    settings: EntitySettings

    def put(
        self,
        content: Content,
        now: float,
        event: EventKind = _ENQUEUED,
        details: dict[str, Any] | None = None,
        *,
        since: float | None = None,
        origin: int | None = None,
        hops: int = 0,
    ) -> Message:
        """Number a message that came now, or at `since`; `origin` is the number that it had in the entity before, `hops` how often
        it was forwarded. Serving receivers is the caller's."""


class QueueInbox:
    """Puts messages at the end of a queue. Those of a dead-letter queue live for ever."""

    __slots__ = ("_dispatch", "_log", "_mortal", "settings")

    def __init__(self, log: MessageLog, dispatch: Dispatch, settings: EntitySettings, *, mortal: bool) -> None:
        self._log = log
        self._dispatch = dispatch
        self._mortal = mortal
        self.settings = settings

    def put(
        self,
        content: Content,
        now: float,
        event: EventKind = _ENQUEUED,
        details: dict[str, Any] | None = None,
        *,
        since: float | None = None,
        origin: int | None = None,
        hops: int = 0,
    ) -> Message:
        """Add a message (`Inbox`)."""
        born = now if since is None else since
        expires_at = None
        if self._mortal:
            ttl, default = content.ttl, self.settings.default_time_to_live
            if default is not None and (ttl is None or default < ttl):
                content.limit_ttl(default)
                ttl = default
            if ttl is not None:
                expires_at = born + ttl
        log = self._log
        message = Message(content, log.number(content), born, expires_at)
        message.origin, message.hops = origin, hops
        log.add(message)
        self._dispatch.append(message)
        log.record(now, event, message, None, details, None if event is _ACTIVATED else content)
        return message
