"""What clients have in hand: deliveries that they were given and have not answered, whatever has become of their locks."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from .links import Outlet

if TYPE_CHECKING:
    from .server import Server


class Hands:
    """Those of the clients of one namespace. A client that has lost its link in the middle of work is taken to be at it until it
    receives again under the name that it gave itself (`com.microsoft:receiver-name`, else its container id)."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._cut: dict[tuple[str, str], float] = {}
        """When (event loop's time) a receiver lost its link with deliveries in hand."""
        self.waiting: list[asyncio.Event] = []
        """Of those who wait: set at the end of each turn."""

    def take_up(self, outlet: Outlet) -> None:
        """A receiver has come."""
        if self._cut:
            self._cut.pop(_key(outlet), None)

    def cut(self, outlet: Outlet) -> None:
        """A receiver has lost its link with deliveries in hand."""
        self._cut[_key(outlet)] = self._server.loop.time()

    def forget(self) -> None:
        """Take all who have lost their links for done."""
        self._cut.clear()

    def listing(self, principals: Collection[str] = ()) -> list[dict[str, Any]]:
        """Return `{principal, deliveries, cut_for}` for each rule by which somebody has deliveries in hand (of `principals`, if
        given), and for each receiver that was cut off; `cut_for`: seconds since, else None."""
        found: Counter[str] = Counter()
        for peer in self._server.peers:
            for handler in peer.handlers.values():
                if isinstance(handler, Outlet) and (count := len(handler.link.unsettled)):
                    found[_principal(handler)] += count
        now = self._server.loop.time()
        held: list[dict[str, Any]] = [
            {"principal": name, "deliveries": count, "cut_for": None} for name, count in found.items()
        ]
        held += [{"principal": name, "deliveries": 0, "cut_for": now - since} for (name, _), since in self._cut.items()]
        return [each for each in held if not principals or each["principal"] in principals]

    async def free(self, seconds: float, principals: Collection[str] = ()) -> list[dict[str, Any]]:
        """Return `listing` when it is empty, or after so many seconds."""
        until = self._server.loop.time() + seconds
        stirred = asyncio.Event()
        self.waiting.append(stirred)
        try:
            while (held := self.listing(principals)) and (left := until - self._server.loop.time()) > 0:
                stirred.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(stirred.wait(), left)
        finally:
            self.waiting.remove(stirred)
        return held


def _principal(outlet: Outlet) -> str:
    return outlet.name.partition("@")[0]


def _key(outlet: Outlet) -> tuple[str, str]:
    return _principal(outlet), outlet.client_id or outlet.container_id
