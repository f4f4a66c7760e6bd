"""How long the parts of a message may be, apart from its body (S-38)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import decode

if TYPE_CHECKING:
    from .reading import Reading

MAX_ID = 128
"""How many characters a message-id, a session id and a partition key may have."""
MAX_PROPERTY = 32 << 10
"""How many bytes one property may have, its name included."""
MAX_HEAD = 64 << 10
"""How many bytes all properties and annotations may have together."""


def long_id(message: Reading) -> str | None:
    """Tell which identifier of a message is too long; None when none is."""
    for name, value in (
        ("MessageId", message.message_id),
        ("SessionId", message.session_id),
        ("PartitionKey", message.partition_key),
    ):
        if value is not None and len(value) > MAX_ID:
            return f"The {name} of a message has at most {MAX_ID} characters, not {len(value)}."
    return None


def long_head(message: Reading) -> str | None:
    """Tell what of a message's properties and annotations is too long; None when nothing is."""
    if message.head_size > MAX_HEAD:
        return f"the properties have {message.head_size} bytes together, {MAX_HEAD} are the limit"
    for section in message.raw_maps():
        for index in range(0, len(section) - 1, 2):
            size = len(section[index]) + len(section[index + 1])
            if size > MAX_PROPERTY:
                name = decode.plain(section[index])[0]
                return f"the property '{str(name)[:60]}' has {size} bytes, {MAX_PROPERTY} are the limit"
    return None
