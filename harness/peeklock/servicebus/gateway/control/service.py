"""The control API: HTTP on loopback, for whoever owns this process (namespaces, ledger, reset, clock)."""

from __future__ import annotations

import asyncio
import errno
import hmac
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from peeklock.servicebus.broker import BrokerError
from peeklock.servicebus.gateway.certificate_names import AZURE
from peeklock.servicebus.gateway.certificates import authority, folder
from peeklock.servicebus.gateway.context import NamespaceContext
from peeklock.servicebus.gateway.health import health
from peeklock.servicebus.gateway.inside import MAX_WAIT, LedgerFeed, Refused, answer, number
from peeklock.servicebus.gateway.loop_monitor import LoopMonitor
from peeklock.servicebus.gateway.metrics import CONTENT_TYPE, render
from peeklock.servicebus.gateway.ports import Log
from peeklock.servicebus.gateway.server import Server
from peeklock.servicebus.http import HttpLimits, HttpListener, HttpReply, HttpRequest, HttpService
from peeklock.servicebus.loopback import is_loopback
from peeklock.servicebus.settings import TopologyError
from peeklock.servicebus.store import StoreError
from peeklock.servicebus.topology import Topology

from .changes import apply

MAX_BODY = 4 << 20
_PATIENCE = 3.0
"""Seconds in which handshakes have to come to an end before the clock is moved."""
MAX_NAME = 128
MAX_ADVANCE = 100 * 366 * 86_400.0
"""A hundred years: later on, times cannot be written any more."""
_PORT_ERRORS = (errno.EADDRINUSE, errno.EACCES, errno.EADDRNOTAVAIL)


class Host(Protocol):
    """The namespaces of this process."""

    servers: dict[str, Server]

    @property
    def monitor(self) -> LoopMonitor:
        """How late the event loop is."""

    def now(self) -> float:
        """Tell epoch seconds by the one clock."""

    def advance(self, seconds: float) -> float:
        """Move the clock; return the new time."""

    def release(self) -> None:
        """Let clients in again, the clock moved or not."""

    async def hold(self, seconds: float) -> bool:
        """Have no handshake under way until the clock was moved; return whether that came within so many seconds."""

    async def add(self, name: str, topology: Topology) -> Server:
        """Make a namespace. Raises `OSError` and `StoreError`."""

    async def remove(self, name: str) -> None:
        """Close a namespace; nothing is kept of it."""


class ControlApi(HttpService):
    """Serves the control API of one host. `token` is what callers must bear, but for `/health`."""

    def __init__(self, host: Host, token: str, log: Log, *, patience: float = 30.0) -> None:
        super().__init__(HttpLimits(request=patience, body=MAX_BODY), log)
        self._host = host
        self._token = token
        self._listener = HttpListener(self)

    async def start(self, address: str, port: int) -> int:
        """Listen on `address`; return the port."""
        self.own_machine = is_loopback(address)
        return await self._listener.start(address, port)

    async def stop(self) -> None:
        """Close the port and every request that waits."""
        await self._listener.stop()

    def refusal(self, status: int, reason: str) -> HttpReply:
        """Say no as JSON."""
        return _json(status, {"error": reason, "fix": ""})

    async def answer(self, request: HttpRequest) -> HttpReply:
        """Answer one request."""
        status, answer = await self._answer(request)
        if isinstance(answer, LedgerFeed):
            return HttpReply(200, kind="application/x-ndjson", stream=answer.lines)
        if isinstance(answer, str):
            return HttpReply(status, answer.encode(), CONTENT_TYPE)
        return HttpReply(status, kind="") if answer is None else _json(status, answer)

    async def _answer(self, request: HttpRequest) -> tuple[int, Any]:
        try:
            if request.method == "GET" and request.path == "/health":
                return health(self._contexts(), self._host.monitor, self._host.now())
            given = request.headers.get("authorization", "").encode("latin-1")
            if not hmac.compare_digest(given, b"Bearer " + self._token.encode()):
                raise Refused(401, "the control token is missing or wrong", "send 'Authorization: Bearer <token>'")
            document = json.loads(request.body) if request.body.strip() else {}
            answer = await self._route(request.method, request.parts, request.query, document)
            for server in self._host.servers.values():
                if server.failure is not None:
                    raise server.failure
            return answer
        except Refused as refused:
            return refused.status, {"error": refused.problem, "fix": refused.fix}
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            return 400, {"error": f"the body is not JSON: {error}", "fix": "send a JSON object"}
        except RecursionError:
            return 400, {"error": "the body is JSON nested too deep", "fix": "send a JSON object"}
        except StoreError as error:
            return 500, {"error": error.problem, "fix": error.fix}
        except TopologyError as error:
            return 400, {"error": error.problem, "fix": error.fix}
        except BrokerError as error:
            if error.status == 404:
                return 404, {"error": error.description, "fix": "GET /namespaces/{name}/entities lists what there is"}
            return (error.status if error.status < 500 else 400), {"error": error.description, "fix": ""}
        except OSError as error:
            if error.errno in _PORT_ERRORS:
                return 409, {"error": f"the port cannot be had: {error.strerror}", "fix": "leave 'port' out, or use 0"}
            return 500, {"error": f"the machine refused: {error.strerror or error}", "fix": "see the emulator's log"}

    async def _authority(self) -> Path:
        try:
            return await asyncio.to_thread(authority, AZURE)
        except OSError as error:
            problem = f"no certificates can be made: {error.strerror or error} ({error.filename or folder(AZURE)})"
            raise Refused(500, problem, "name a folder that can be written in PEEKLOCK_CACHE") from error

    async def _route(
        self, method: str, parts: list[str], query: dict[str, list[str]], document: Any
    ) -> tuple[int, Any]:
        host = self._host
        match [method, *parts]:
            case ["GET", "metrics"]:
                return 200, render(self._contexts())
            case ["GET", "authorities", "azure"]:
                path = await self._authority()
                return 200, {"certificate": path.read_text(encoding="ascii")}
            case ["POST", "clock"]:
                if isinstance(document, dict) and document.get("hold") is True:
                    return 200, {"quiet": await host.hold(_PATIENCE), "now": host.now()}
                if isinstance(document, dict) and document.get("hold") is False:
                    host.release()
                    return 200, {"now": host.now()}
                seconds = document.get("advance") if isinstance(document, dict) else None
                if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not abs(seconds) <= MAX_ADVANCE:
                    expected = f"'advance' is {seconds!r}, expected seconds, at most {MAX_ADVANCE:.0f} either way"
                    raise Refused(400, expected, 'send {"advance": <seconds>}')
                return 200, {"now": host.advance(float(seconds))}
            case ["PUT", "namespaces", name] if name:
                if len(name) > MAX_NAME:
                    raise Refused(400, f"a namespace's name has {len(name)} characters", f"use {MAX_NAME} at most")
                if name in host.servers:
                    raise Refused(409, f"namespace {name!r} exists", "DELETE it first, or choose another name")
                server = await host.add(name, Topology.from_json(document))
                return 200, {"name": name, "port": server.port}
            case ["PUT", "namespaces", name, "topology"]:
                changes = apply(self._server(name).administration, Topology.from_json(document))
                return 200, asdict(changes)
            case ["DELETE", "namespaces", name]:
                self._server(name)
                await host.remove(name)
                return 204, None
            case ["POST", "namespaces", name, "reset"]:
                return 200, {"cursor": self._server(name).administration.reset()}
            case ["GET", "namespaces", name, "hands"]:
                seconds = min(number(query, "wait", 0.0), MAX_WAIT)
                tracker = self._server(name).context.tracker
                return 200, {"hands": await tracker.settled(seconds, query.get("principal", ()))}
            case ["PUT", "namespaces", name, "status", *path] if path:
                status = document.get("status") if isinstance(document, dict) else None
                self._server(name).administration.set_status("/".join(path), str(status))
                return 200, {"status": status}
            case [_, "namespaces", name, *rest]:
                server = self._server(name)
                found = await answer(server.administration, method, rest, query, document, server.ended)
                if found is not None:
                    return found
        raise Refused(
            404, f"there is no {method} /{'/'.join(parts)}", "see the control API's page in the documentation"
        )

    def _contexts(self) -> list[NamespaceContext]:
        return [server.context for server in self._host.servers.values()]

    def _server(self, name: str) -> Server:
        try:
            return self._host.servers[name]
        except KeyError:
            raise Refused(404, f"there is no namespace {name!r}", "PUT /namespaces/{name} makes one") from None


def _json(status: int, document: Any) -> HttpReply:
    return HttpReply(status, json.dumps(document).encode())
