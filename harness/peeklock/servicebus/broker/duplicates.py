"""The duplicate detection history of one entity."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable


class DuplicateHistory:
    """Remembers message-ids for a window of seconds, also after their messages are gone (S-57)."""

    __slots__ = ("_order", "_seen", "window")

    def __init__(self, window: float) -> None:
        self.window = window
        self._seen: set[str] = set()
        self._order: deque[tuple[float, str]] = deque()

    def is_new(self, message_id: str, now: float) -> bool:
        """Remember the id; False when it was seen within the window (its window is not prolonged)."""
        order, seen = self._order, self._seen
        while order and order[0][0] + self.window <= now:
            seen.discard(order.popleft()[1])
        if message_id in seen:
            return False
        seen.add(message_id)
        order.append((now, message_id))
        return True

    def restore(self, seen: Iterable[tuple[str, float]]) -> None:
        """Take what was remembered before, each id with its epoch second, the oldest first."""
        for message_id, at in seen:
            self._seen.add(message_id)
            self._order.append((at, message_id))

    def clear(self) -> None:
        """Forget everything."""
        self._seen.clear()
        self._order.clear()
