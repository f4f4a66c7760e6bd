"""How much a peer may make us keep."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caps:
    """Of one connection: sessions, links of all its sessions, and the bytes of messages of which a part is still to come
    (each part counts a little more than it has, as keeping it does)."""

    sessions: int = 256
    links: int = 5_000
    unfinished: int = 512 << 20


PART_OVERHEAD = 64
