"""How much a peer may make us keep."""

from __future__ import annotations

from dataclasses import dataclass

from .errors import RESOURCE_LIMIT, ProtocolError

PART_OVERHEAD = 64


@dataclass(frozen=True, slots=True)
class Caps:
    """Limits of one connection: sessions, links over all sessions, and bytes of incomplete messages (each part counts
    64 bytes more than it has, because keeping it costs that)."""

    sessions: int = 256
    links: int = 5_000
    unfinished: int = 512 << 20


class Usage:
    """What one connection keeps for its peer, and its caps; shared by all its sessions and links."""

    __slots__ = ("caps", "unfinished")

    def __init__(self) -> None:
        self.caps = Caps()
        self.unfinished = 0
        """Bytes of messages that are not complete yet."""

    def add_part(self, size: int) -> int:
        """Count a part of a message; return what it counts for. Raises `ProtocolError` when it is too much."""
        kept = size + PART_OVERHEAD
        self.unfinished += kept
        if self.unfinished > self.caps.unfinished:
            text = f"more than {self.caps.unfinished} bytes of messages that are not whole"
            raise ProtocolError(RESOURCE_LIMIT, text)
        return kept
