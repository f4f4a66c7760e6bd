"""All messages of an entity by sequence number, readable in order from any number on."""

from __future__ import annotations

from collections.abc import Iterator

from .message import ORDER, Message

_SHIFT = 10
_MASK = (1 << _SHIFT) - 1


class SequenceIndex:
    """Sequence numbers come without gaps (S-53), so they are kept in blocks of 1,024 places, of which only those that hold
    something exist: 8 bytes a message, add, drop and get are O(1), and a scan skips what was consumed a block at a time."""

    __slots__ = ("_blocks", "_counts")

    def __init__(self) -> None:
        self._blocks: dict[int, list[Message | None]] = {}
        self._counts: dict[int, int] = {}

    def __len__(self) -> int:
        return sum(self._counts.values())

    def add(self, message: Message) -> None:
        """Add a message under a number that is free."""
        self._put(message.sequence, message)

    def _put(self, number: int, message: Message) -> None:
        block, place = number >> _SHIFT, number & _MASK
        places = self._blocks.get(block)
        if places is None:
            self._blocks[block] = places = []
            self._counts[block] = 0
        self._counts[block] += 1
        if place == len(places):
            places.append(message)
            return
        if place > len(places):
            places.extend([None] * (place + 1 - len(places)))
        places[place] = message

    def drop(self, number: int) -> None:
        """Remove a message that is there."""
        block = number >> _SHIFT
        if self._counts[block] == 1:
            del self._blocks[block], self._counts[block]
        else:
            self._blocks[block][number & _MASK] = None
            self._counts[block] -= 1

    def get(self, number: int) -> Message | None:
        """Return the message with that number, or None."""
        places = self._blocks.get(number >> _SHIFT, ())
        place = number & _MASK
        return places[place] if place < len(places) else None

    def scan(self, start: int) -> Iterator[Message]:
        """Yield the messages from number `start` on, in order; what is added or dropped meanwhile may be missed."""
        first = max(start, 0)
        for block in sorted(block for block in self._blocks if block >= first >> _SHIFT):
            places = self._blocks.get(block, ())
            for message in places[first & _MASK :] if block == first >> _SHIFT else tuple(places):
                if message is not None:
                    yield message


class PartitionedIndex(SequenceIndex):
    """The same where the top 16 bits of a number are the partition: without them the numbers are gap-free again, and a scan
    goes through all partitions in the order of arrival."""

    __slots__ = ()

    def add(self, message: Message) -> None:
        self._put(message.sequence & ORDER, message)

    def drop(self, number: int) -> None:
        super().drop(number & ORDER)

    def get(self, number: int) -> Message | None:
        found = super().get(number & ORDER)
        return found if found is not None and found.sequence == number else None

    def scan(self, start: int) -> Iterator[Message]:
        return super().scan(max(start, 0) & ORDER)
