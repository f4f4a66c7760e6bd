"""Partitioned entities: sixteen partitions, told apart by the top 16 bits of a sequence number (S-53, S-57, S-86)."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

from .errors import NotAllowed
from .message import ORDER, ORDER_BITS, Content

COUNT = 16


class Partitions:
    """Where the messages of one entity go. One that `inherits`, a subscription or a dead-letter queue, leaves a message in the
    partition in which it was."""

    __slots__ = ("_by_message_id", "_inherits")

    def __init__(self, *, inherits: bool, by_message_id: bool) -> None:
        self._inherits = inherits
        self._by_message_id = by_message_id

    def number(self, content: Content, order: int) -> int:
        """Return the sequence number of the message that is the `order`th of its entity, and note its partition with it."""
        number = self.reserve(content, order)
        content.set_partition(number >> ORDER_BITS)
        return number

    def reserve(self, content: Content, order: int, *, via: bool = False) -> int:
        """Return the sequence number that a message gets, or, with `via`, one that only passes through."""
        partition = content.partition_id if self._inherits else None
        if partition is None:
            key = self._decides(content, via=via)
            partition = (order if key is None else zlib.crc32(key.encode("utf-8", "replace"))) % COUNT
        return partition << ORDER_BITS | order & ORDER

    @staticmethod
    def duplicate_key(content: Content) -> str:
        """Return what duplicates have in common: message-id and partition key, which a session id is, too (S-57)."""
        key = _key(content)
        return content.message_id if key is None else f"{content.message_id}\0{key}"

    def check(self, contents: Sequence[Content], *, via: bool = False) -> None:
        """Raise `NotAllowed` for messages of one batch or transaction that go to, or through, different partitions. Without a
        key it is the message-id that decides, where duplicates are detected (S-57)."""
        if len(contents) > 1 and len({self._decides(content, via=via) for content in contents}) > 1:
            raise NotAllowed(
                "Batching brokered messages with distinct SessionId, PartitionKey, or MessageId is not supported: all messages of "
                "a batch or a transaction must have one partition key, or one session id, on an entity that is partitioned."
            )

    def _decides(self, content: Content, *, via: bool) -> str | None:
        key = _key(content, via=via)
        return content.message_id if key is None and self._by_message_id and not via else key


def _key(content: Content, *, via: bool = False) -> str | None:
    """Return what decides on the partition: the session id, else the partition key; on the way through an entity the via
    partition key, which has no other meaning (S-32)."""
    if via:
        return content.via_partition_key
    return content.session_id if content.session_id is not None else content.partition_key
