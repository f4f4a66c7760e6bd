"""`python -m peeklock.stack.relay LISTENERS`: the relay of one environment, and its control: JSON by the line, over TCP.

LISTENERS is `{"name": {"doors": {door: port}, "target": …, "protocol": …}}`. A line `{"token", "op", …}` is answered by `{"ok": …}` or
`{"error": text}`; `begin` (`target kind settings times seconds`), `end` (`target`, null: all), `listing` (`clear`), `requests`,
`seen` (transactions), `faults`, `route` (`target port`), `hold` (`target settings done`), `reached` and `release` (`hold`).

Each event is a line of its output too, so that whoever waits for one can hear that there is something to ask for.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import os
import sys
import time
from collections import deque
from typing import Any

from peeklock.stack.faults import KINDS
from peeklock.stack.relay.active_fault import ActiveFault
from peeklock.stack.relay.listener import HOST, RelayListener
from peeklock.stack.relay.postgres.held import HeldCommit, HeldCommitAnswer
from peeklock.stack.relay.postgres.transaction import Transaction

_MOST_REQUESTS = 10_000


class Relay:
    """The listeners by target, and what happened at them. Implements `listener.Hearer`."""

    def __init__(self, token: str) -> None:
        self._token = token
        self.listeners: dict[str, RelayListener] = {}
        self._events: list[tuple[str, float, str]] = []
        self._passed: deque[tuple[str, str, str]] = deque(maxlen=_MOST_REQUESTS)
        self._transactions: deque[dict[str, Any]] = deque(maxlen=_MOST_REQUESTS)
        self._unread: dict[tuple[str, str], float] = {}
        self._holds: list[tuple[RelayListener, ActiveFault]] = []

    def tell(self, target: str, at: float, text: str) -> None:
        """Remember an event."""
        self._events.append((target, at, text))
        print(json.dumps({"event": "relay.happened", "target": target, "text": text}), flush=True)

    def count(self, target: str, method: str, path: str) -> None:
        """Remember a request that was answered."""
        self._passed.append((target, method, path))

    def saw(self, _target: str, service: str, transaction: Transaction) -> None:
        """Remember a transaction."""
        told = {"service": service, "began": transaction.began, "ended": transaction.ended, "end": transaction.end}
        told |= {"asked": transaction.asked, "error": transaction.error, "changes": transaction.changes}
        self._transactions.append({**told, "statements": list(transaction.texts.items())})

    def unread(self, _target: str, service: str, why: str) -> None:
        """Remember once that transactions of a service are not seen."""
        self._unread.setdefault((service, why), time.time())

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer requests, line by line."""
        try:
            while line := await reader.readline():
                writer.write(json.dumps(await self._reply(json.loads(line))).encode() + b"\n")
                await writer.drain()
        except (OSError, ValueError):
            pass
        finally:
            writer.close()

    async def _reply(self, request: dict[str, Any]) -> dict[str, Any]:
        if not hmac.compare_digest(str(request.get("token")), self._token):
            return {"error": "the token is wrong"}
        try:
            return {"ok": await getattr(self, f"_{request['op']}")(request)}
        except Exception as error:  # noqa: BLE001  one bad request must not end the relay
            return {"error": f"{type(error).__name__}: {error}"}

    async def _begin(self, request: dict[str, Any]) -> None:
        fault = KINDS[request["kind"]].model_construct(**request["settings"])
        await self.listeners[request["target"]].begin(fault, request["times"], request["seconds"])

    async def _end(self, request: dict[str, Any]) -> int:
        return sum(
            [await listener.end() for listener in self.listeners.values() if request["target"] in (None, listener.name)]
        )

    async def _listing(self, request: dict[str, Any]) -> list[tuple[str, float, str]]:
        events = list(self._events)
        if request.get("clear"):
            self._events.clear()
            self._passed.clear()
            self._transactions.clear()
        return events

    async def _requests(self, _request: dict[str, Any]) -> list[tuple[str, str, str]]:
        return list(self._passed)

    async def _seen(self, _request: dict[str, Any]) -> dict[str, Any]:
        return {"seen": list(self._transactions), "unread": list(self._unread)}

    async def _hold(self, request: dict[str, Any]) -> int:
        kind = HeldCommitAnswer if request["done"] else HeldCommit
        listener = self.listeners[request["target"]]
        active = await listener.begin(kind.model_construct(**request["settings"]), 1, None)
        self._holds.append((listener, active))
        return len(self._holds) - 1

    async def _reached(self, request: dict[str, Any]) -> bool:
        _, active = self._holds[request["hold"]]
        return bool(active.strikes.spent)

    async def _release(self, request: dict[str, Any]) -> None:
        listener, active = self._holds[request["hold"]]
        await listener.end([active])

    async def _faults(self, _request: dict[str, Any]) -> list[dict[str, Any]]:
        return [
            {"target": name, "kind": each.fault.kind, "struck": each.strikes.count, "over": each.strikes.spent}
            for name, listener in self.listeners.items()
            for each in listener.faults
        ]

    async def _route(self, request: dict[str, Any]) -> None:
        self.listeners[request["target"]].target = request["port"]


async def main() -> None:
    """Open every listener, and tell of the control's port."""
    relay = Relay(os.environ.pop("PEEKLOCK_RELAY_TOKEN"))
    for name, facts in json.loads(sys.argv[1]).items():
        relay.listeners[name] = RelayListener(name, facts["doors"], facts["target"], facts["protocol"], relay)
        await relay.listeners[name].open()
    server = await asyncio.start_server(relay.serve, HOST, 0)
    port = server.sockets[0].getsockname()[1]
    print(json.dumps({"event": "relay.ready", "control_port": port}), flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
