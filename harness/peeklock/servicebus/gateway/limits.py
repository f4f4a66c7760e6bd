"""How long and how many: the limits of one namespace."""

from __future__ import annotations

from dataclasses import dataclass

STANDARD_MESSAGE_KILOBYTES = 256
"""What the Standard tier takes in one message; entities that take more are Premium."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Times in seconds (S-4, S-5).

    A connection ends when it has had no link for `unauthenticated`, or has done nothing for `connection`; a link when it has
    done nothing for `link`. `heartbeat` is the idle time-out that is advertised. `request` and `keep_alive` are those of
    HTTP: for a request that has begun, and between two. An entity takes so many `receivers`, a namespace so many `entities`
    and `connections`; of these at most `unauthenticated_connections` may have shown no token, and at most `unauthenticated_tls`
    inside TLS, where each takes 0.3 MB: the oldest has to go for a new one.
    """

    unauthenticated: float = 60.0
    connection: float = 300.0
    link: float = 600.0
    heartbeat: float = 240.0
    receivers: int = 5_000
    entities: int = 10_000
    request: float = 30.0
    keep_alive: float = 120.0
    connections: int = 5_000
    unauthenticated_connections: int = 2_000
    unauthenticated_tls: int = 512
