"""A message session that the client holds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from peeklock.servicebus.amqp import Receiver

from .messages import ReceivedMessage

_EPOCH_TICKS = 621_355_968_000_000_000
_TICKS = 10_000_000
FILTER = "com.microsoft:session-filter"

Collect = Callable[[Receiver, int, float], list[ReceivedMessage]]
Manage = Callable[[str, dict[str, Any], str], Any]


class SessionReceiver:
    """Made by `Client.accept_session`; settle what it receives with the client. Raises `ServiceBusError` with
    `com.microsoft:session-lock-lost` when the lock was not renewed in time."""

    def __init__(self, queue: str, link: Receiver, collect: Collect, manage: Manage, close: Callable[[], None]) -> None:
        filters = link.source.value[7]
        until = link.properties.get("com.microsoft:locked-until-utc", _EPOCH_TICKS)
        self.queue = queue
        self.session_id = str(filters[FILTER])
        self.locked_until = datetime.fromtimestamp((until - _EPOCH_TICKS) / _TICKS, UTC)
        self._link = link
        self._collect = collect
        self._manage = manage
        self._close = close

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def receive(self, max_messages: int = 1, wait: float = 5.0) -> list[ReceivedMessage]:
        """Return up to `max_messages` of the session, in order: those that are there, else the first that come within
        `wait` seconds, else none."""
        return self._collect(self._link, max_messages, wait)

    def renew(self) -> datetime:
        """Lock the session for another lock duration; return until when."""
        answer = self._ask("renew-session-lock")
        self.locked_until = datetime.fromtimestamp(answer["expiration"] / 1000, UTC)
        return self.locked_until

    def get_state(self) -> bytes | None:
        """Return the state that was set, or None."""
        state = self._ask("get-session-state")["session-state"]
        return None if state is None else bytes(state)

    def set_state(self, state: bytes | None) -> None:
        """Keep a state with the session; None clears it."""
        self._ask("set-session-state", {"session-state": state})

    def close(self) -> None:
        """Free the session; what was not settled returns to it."""
        self._close()

    def _ask(self, operation: str, arguments: dict[str, Any] | None = None) -> Any:
        return self._manage(operation, {"session-id": self.session_id, **(arguments or {})}, self._link.name)
