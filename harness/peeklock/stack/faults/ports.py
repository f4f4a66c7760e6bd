"""What a fault of the network sees of the relay in which it strikes."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Literal, Protocol

Way = Literal["requests", "answers"]


class Connection(Protocol):
    """One connection between a service and a target."""

    counted: dict[Any, int]
    """What faults count for themselves, by `Strikes`."""

    def close(self) -> None:
        """End it: what was sent still arrives."""

    def reset(self) -> None:
        """Break it: both ends get a TCP RST."""


class Listener(Protocol):
    """Where services connect to reach a target."""

    @property
    def connections(self) -> Collection[Connection]:
        """Those that are open."""

    def suffers(self, kind: type) -> bool:
        """Tell whether a fault of this class is on."""

    async def open(self) -> None:
        """Let services connect, if they cannot yet."""

    def shut(self) -> None:
        """Refuse connections. The port stays taken."""
