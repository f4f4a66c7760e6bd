"""Messages that are ready to be received, in the order of their sequence numbers."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable

from .message import ACTIVE, Message

_FEW = 64


class ReadyLine:
    """New messages stand at the end, those that come back where they stood before: O(1) and O(log n).

    A message that leaves from the middle stays as a gap until the line comes to it, or until there are more gaps than messages.
    """

    __slots__ = ("_fresh", "_gaps", "_returned", "append")

    def __init__(self) -> None:
        self._fresh: deque[Message] = deque()
        self._returned: list[Message] = []
        self._gaps = 0
        self.append: Callable[[Message], None] = self._fresh.append
        """Puts a new message at the end."""

    def give_back(self, message: Message) -> None:
        """Put a message that was taken back where it stood."""
        heapq.heappush(self._returned, message)

    def pop(self) -> Message | None:
        """Take the first message, or None."""
        fresh, returned = self._fresh, self._returned
        while fresh or returned:
            earlier = returned and (not fresh or returned[0] < fresh[0])
            message = heapq.heappop(returned) if earlier else fresh.popleft()
            if message.state is ACTIVE:
                return message
            self._gaps -= 1
        return None

    @property
    def filled(self) -> bool:
        """True when a message is ready to be received."""
        fresh, returned = self._fresh, self._returned
        while returned and returned[0].state is not ACTIVE:
            heapq.heappop(returned)
            self._gaps -= 1
        while fresh and fresh[0].state is not ACTIVE:
            fresh.popleft()
            self._gaps -= 1
        return bool(fresh or returned)

    def leave_gap(self) -> None:
        """Note that a message has gone from where it stood; when many have, close the gaps."""
        self._gaps += 1
        if self._gaps > _FEW and self._gaps * 2 > len(self._fresh) + len(self._returned):
            standing = [message for message in self._fresh if message.state is ACTIVE]
            self._fresh.clear()
            self._fresh.extend(standing)
            self._returned = [message for message in self._returned if message.state is ACTIVE]
            heapq.heapify(self._returned)
            self._gaps = 0

    def clear(self) -> None:
        """Forget all of them."""
        self._fresh.clear()
        self._returned.clear()
        self._gaps = 0
