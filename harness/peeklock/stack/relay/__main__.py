"""`python -m peeklock.stack.relay LISTENERS`: the relay of one environment, and its control: JSON by the line, over TCP.

LISTENERS is `{"name": {"port": …, "target": …, "http": …}}`. A line `{"token", "op", …}` is answered by `{"ok": …}` or
`{"error": text}`; `begin` (`target kind settings times seconds`), `end` (`target`, null: all), `listing` (`clear`), `requests`, `faults`, `route`
(`target port`).
"""

from __future__ import annotations

import asyncio
import hmac
import json
import os
import sys
from collections import deque
from typing import Any

from peeklock.stack.faults import KINDS
from peeklock.stack.relay.listener import HOST, RelayListener

_MOST_REQUESTS = 10_000


class Relay:
    """The listeners by target, and what happened at them."""

    def __init__(self, token: str) -> None:
        self._token = token
        self.listeners: dict[str, RelayListener] = {}
        self._events: list[tuple[str, float, str]] = []
        self._passed: deque[tuple[str, str, str]] = deque(maxlen=_MOST_REQUESTS)

    def tell(self, target: str, at: float, text: str) -> None:
        """Remember an event."""
        self._events.append((target, at, text))

    def count(self, target: str, method: str, path: str) -> None:
        """Remember a request that was answered."""
        self._passed.append((target, method, path))

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
        return events

    async def _requests(self, _request: dict[str, Any]) -> list[tuple[str, str, str]]:
        return list(self._passed)

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
        relay.listeners[name] = RelayListener(
            name, facts["port"], facts["target"], facts["http"], relay.tell, relay.count
        )
        await relay.listeners[name].open()
    server = await asyncio.start_server(relay.serve, HOST, 0)
    port = server.sockets[0].getsockname()[1]
    print(json.dumps({"event": "relay.ready", "control_port": port}), flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
