"""All messages of an entity by sequence number, readable in order from any number on."""

from __future__ import annotations

from collections.abc import Iterator

from .message import ORDER, Message

_BLOCK = 10  # 1,024 sequence numbers a block


class SequenceIndex:
    """Sequence numbers are gap-free at birth (S-53), so a dict and a count per block serve as an ordered map:
    add, drop and get are O(1); a scan steps over a million consumed numbers in a thousand steps."""

    __slots__ = ("_blocks", "_last", "_messages")

    def __init__(self) -> None:
        self._messages: dict[int, Message] = {}
        self._blocks: dict[int, int] = {}
        self._last = 0

    def __len__(self) -> int:
        return len(self._messages)

    def add(self, message: Message) -> None:
        """Add a message; its number is higher than all before, unless it was reserved."""
        number = message.sequence
        self._messages[number] = message
        block = number >> _BLOCK
        self._blocks[block] = self._blocks.get(block, 0) + 1
        if number > self._last:
            self._last = number

    def drop(self, number: int) -> None:
        """Remove a message that is there."""
        del self._messages[number]
        block = number >> _BLOCK
        left = self._blocks[block] - 1
        if left:
            self._blocks[block] = left
        else:
            del self._blocks[block]

    def get(self, number: int) -> Message | None:
        """Return the message with that number, or None."""
        return self._messages.get(number)

    def scan(self, start: int) -> Iterator[Message]:
        """Yield the messages from number `start` on, in order."""
        number = max(start, 0)
        messages, blocks = self._messages, self._blocks
        first = min(blocks, default=0) << _BLOCK if len(blocks) < 64 else 0
        number = max(number, first)
        while number <= self._last:
            if number >> _BLOCK not in blocks:
                number = ((number >> _BLOCK) + 1) << _BLOCK
                continue
            message = messages.get(number)
            if message is not None:
                yield message
            number += 1


class PartitionedIndex(SequenceIndex):
    """The same where the top 16 bits of a number are the partition: without them the numbers are gap-free again, and a scan
    goes through all partitions in the order of arrival."""

    __slots__ = ()

    def add(self, message: Message) -> None:
        number = message.sequence & ORDER
        self._messages[number] = message
        block = number >> _BLOCK
        self._blocks[block] = self._blocks.get(block, 0) + 1
        if number > self._last:
            self._last = number

    def drop(self, number: int) -> None:
        super().drop(number & ORDER)

    def get(self, number: int) -> Message | None:
        found = super().get(number & ORDER)
        return found if found is not None and found.sequence == number else None

    def scan(self, start: int) -> Iterator[Message]:
        return super().scan(max(start, 0) & ORDER)
