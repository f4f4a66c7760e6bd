"""How long and how many: the limits of one namespace."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Idle limits in seconds (S-4, S-5): no link within `unauthenticated`, nothing done for `connection` or on one
    `link`, and the idle-time-out that is advertised as `heartbeat`; `request` and `keep_alive` are those of HTTP, for a
    request that has begun and between two. How many receivers an entity takes, how many queues and topics may be made in a
    namespace, and how many connections it takes; of these at most `strangers` who have not shown a token yet: the oldest has
    to go for a new one."""

    unauthenticated: float = 60.0
    connection: float = 300.0
    link: float = 600.0
    heartbeat: float = 240.0
    receivers: int = 5_000
    entities: int = 10_000
    request: float = 30.0
    keep_alive: float = 120.0
    connections: int = 5_000
    strangers: int = 2_000
