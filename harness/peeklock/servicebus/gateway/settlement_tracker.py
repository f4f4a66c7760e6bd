"""Deliveries that clients were given and have not answered, whatever has become of their locks."""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Collection
from contextlib import suppress
from typing import Any

from peeklock.servicebus.amqp import Sender
from peeklock.servicebus.ledger import Principal

from .connections import Connections

REMEMBERED = 1_000
"""How many receivers are remembered that have lost their links in the middle of work."""


class SettlementTracker:
    """Tells who is at work. A client that has lost its link in the middle of work counts as being at it until it receives again
    under the name that it gave itself (`com.microsoft:receiver-name`, else its container id); the latest thousand do."""

    def __init__(self, connections: Connections) -> None:
        self._loop = asyncio.get_running_loop()
        self._connections = connections
        self._cut: OrderedDict[tuple[str, str], float] = OrderedDict()
        """When (event loop's time) a receiver lost its link with unsettled deliveries."""
        self._waiting: list[asyncio.Event] = []

    def attached(self, principal: str, client: str) -> None:
        """A receiver has come."""
        if self._cut:
            self._cut.pop((principal, client), None)

    def cut_off(self, principal: str, client: str) -> None:
        """A receiver has lost its link with unsettled deliveries."""
        self._cut[principal, client] = self._loop.time()
        self._cut.move_to_end((principal, client))
        if len(self._cut) > REMEMBERED:
            self._cut.popitem(last=False)

    def forget(self) -> None:
        """Take all who have lost their links for done."""
        self._cut.clear()

    def wake(self) -> None:
        """Have those look again who wait for all to be settled."""
        for event in self._waiting:
            event.set()

    def listing(self, principals: Collection[str] = ()) -> list[dict[str, Any]]:
        """Return `{principal, deliveries, cut_for}` for each rule by which somebody has unsettled deliveries (of `principals`,
        if given), and for each receiver that was cut off; `cut_for`: seconds since, else None."""
        found: Counter[str] = Counter()
        for _, handler in self._connections.handlers():
            if (
                handler.role == "receiver"
                and isinstance(handler.link, Sender)
                and (count := len(handler.link.unsettled))
            ):
                found[handler.principal] += count
        now = self._loop.time()
        held: list[dict[str, Any]] = [
            {"principal": name, "deliveries": count, "cut_for": None} for name, count in found.items()
        ]
        held += [{"principal": name, "deliveries": 0, "cut_for": now - since} for (name, _), since in self._cut.items()]
        named = [{**each, "principal": Principal.read(each["principal"]).name} for each in held]
        return [each for each in named if not principals or each["principal"] in principals]

    async def settled(self, seconds: float, principals: Collection[str] = ()) -> list[dict[str, Any]]:
        """Return `listing` when it is empty, or after so many seconds."""
        until = self._loop.time() + seconds
        stirred = asyncio.Event()
        self._waiting.append(stirred)
        try:
            while (held := self.listing(principals)) and (left := until - self._loop.time()) > 0:
                stirred.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(stirred.wait(), left)
        finally:
            self._waiting.remove(stirred)
        return held
