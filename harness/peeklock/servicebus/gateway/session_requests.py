"""The operations of `$management` that are about message sessions (S-28, S-31)."""

# ruff: noqa: ARG002 -- all operations have one signature
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from peeklock.servicebus.amqp.encode import encode
from peeklock.servicebus.amqp.types import Array, Int, Timestamp
from peeklock.servicebus.broker import BrokerError, Queue
from peeklock.servicebus.broker.errors import ArgumentError, MessageTooLarge, NotAllowed
from peeklock.servicebus.broker.session import MessageSession, Sessions

Operation = Callable[[dict[Any, Any], str | None], bytes | None]
_ALL_SESSIONS = 253_402_300_000_000
"""From this `last-updated-time` (milliseconds) on, all sessions with messages or a state are meant: about the year 10000."""


class SessionNotFound(BrokerError):
    """No session is to be listed."""

    condition = "com.microsoft:session-not-found"
    status = 204


class SessionRequests:
    """Executes them for one entity and one connection; `asker` tells who asks: container and link."""

    def __init__(self, queue: Queue, asker: Callable[[], tuple[str, str | None]]) -> None:
        self._queue = queue
        self._asker = asker

    def operations(self) -> dict[str, tuple[str, Operation]]:
        """Return each operation with the right that it needs."""
        return {
            "renew-session-lock": ("Listen", self._renew),
            "get-session-state": ("Listen", self._get_state),
            "set-session-state": ("Listen", self._set_state),
            "get-message-sessions": ("Listen", self._list),
        }

    def required(self, arguments: dict[Any, Any]) -> str | None:
        """Return the session of a request whose messages stand in one; None where the entity has no sessions.
        Raises `SessionLockLost` unless the link that asks holds it (S-31)."""
        if self._queue.sessions is None:
            return None
        return self._held(arguments).id

    def check(self, arguments: dict[Any, Any]) -> None:
        """Raise `SessionLockLost` when the request names a session that the link does not hold (S-31)."""
        if self._queue.sessions is not None and arguments.get("session-id") is not None:
            self._held(arguments)

    def _held(self, arguments: dict[Any, Any]) -> MessageSession:
        session_id = arguments.get("session-id")
        if not isinstance(session_id, str):
            raise ArgumentError("The request needs 'session-id', a string.")
        return self._sessions().held(session_id, *self._asker())

    def _sessions(self) -> Sessions:
        queue = self._queue
        if queue.sessions is None:
            raise NotAllowed(f"'{queue.name}' does not require sessions.")
        queue.expire_due()
        return queue.sessions

    def _renew(self, arguments: dict[Any, Any], consumer: str | None) -> bytes:
        until = self._sessions().renew(self._held(arguments))
        return encode({"expiration": Timestamp(int(until * 1000))})

    def _get_state(self, arguments: dict[Any, Any], consumer: str | None) -> bytes:
        return encode({"session-state": self._held(arguments).state})

    def _set_state(self, arguments: dict[Any, Any], consumer: str | None) -> bytes:
        session = self._held(arguments)
        state = arguments.get("session-state")
        if state is not None and not isinstance(state, bytes):
            raise ArgumentError("'session-state' is binary, or null to clear it.")
        limit = self._queue.settings.max_message_size_in_kilobytes << 10
        if state is not None and len(state) > limit:
            raise MessageTooLarge(f"A session state of {len(state)} bytes exceeds the limit of {limit}.")
        self._sessions().set_state(session, state)
        return encode({})

    def _list(self, arguments: dict[Any, Any], consumer: str | None) -> bytes:
        updated, skip, top = (_whole(arguments, name) for name in ("last-updated-time", "skip", "top"))
        found = self._sessions().ids(None if updated >= _ALL_SESSIONS else updated / 1000)[skip : skip + top]
        if not found:
            raise SessionNotFound("There are no such sessions.")
        return encode({"skip": Int(skip), "sessions-ids": Array(found, 0xB1)})


def _whole(arguments: dict[Any, Any], name: str) -> int:
    value = arguments.get(name)
    if not isinstance(value, int) or value < 0:
        raise ArgumentError(f"The request needs '{name}', a whole number from 0 on.")
    return value
