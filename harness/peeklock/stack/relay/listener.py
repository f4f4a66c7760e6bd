"""Where services connect to reach one target."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable

from peeklock.stack.faults import Fault, NetworkFault, Request, Strikes
from peeklock.stack.relay.active_fault import ActiveFault
from peeklock.stack.relay.connection import RelayedConnection

HOST = "127.0.0.1"
_READ_AHEAD = 1 << 20


def _nobody(_target: str, _method: str, _path: str) -> None: ...


class RelayListener:
    """Listens on a port, and connects whoever comes with the target's port. `tell(target, at, text)` hears what
    happens, `count(target, method, path)` of each request that was answered."""

    def __init__(
        self,
        name: str,
        port: int,
        target: int,
        http: bool,
        tell: Callable[[str, float, str], None],
        count: Callable[[str, str, str], None] = _nobody,
    ) -> None:
        self.name, self.port, self.target, self.http = name, port, target, http
        self.connections: set[RelayedConnection] = set()
        self.faults: list[ActiveFault] = []
        self._tell, self._count = tell, count
        self._server: asyncio.Server | None = None
        self._held = _bound(port)
        self._serving: set[asyncio.Task[None]] = set()
        self._ending: set[asyncio.Task[int]] = set()

    async def open(self) -> None:
        """Let clients in."""
        if self._server is None:
            self._server = await asyncio.start_server(self._come_in, sock=self._held, limit=_READ_AHEAD)

    def suffers(self, kind: type) -> bool:
        """Tell whether a fault of this class is on."""
        return any(isinstance(active.fault, kind) for active in self.faults)

    def shut(self) -> None:
        """Refuse connections. The port stays ours."""
        if self._server is not None:
            self._server.close()
            self._server = None
            self._held = _bound(self.port)

    async def close(self) -> None:
        """Break every connection, and give the port up."""
        await self.end()
        self.shut()
        self._held.close()
        for connection in list(self.connections):
            connection.reset()
        await asyncio.gather(*self._serving, return_exceptions=True)

    async def begin(self, fault: Fault, times: int | None, seconds: float | None) -> None:
        """Let a fault strike here: on when this returns, for the connections that are there, too."""
        strikes = Strikes(fault.counted, times, lambda what: self.say(f"fault {fault.kind}: {what}"))
        active = ActiveFault(fault, strikes)
        self.faults.append(active)
        self.say(f"fault {fault.kind} begins")
        if isinstance(fault, NetworkFault):
            await fault.begin(strikes, self)
        for connection in list(self.connections):
            connection.meet(active)
        if seconds is not None:
            loop = asyncio.get_running_loop()
            active.timer = loop.call_later(seconds, self._end_later, active)

    async def end(self, actives: list[ActiveFault] | None = None) -> int:
        """End faults, or all; return how often they have struck (those that are not counted: how many connections)."""
        struck = 0
        for active in list(self.faults) if actives is None else actives:
            if active not in self.faults:
                continue
            self.faults.remove(active)
            struck += active.strikes.count
            active.finish()
            if isinstance(active.fault, NetworkFault):
                await active.fault.end(active.strikes, self)
            what = "times" if active.fault.counted else "connections"
            self.say(f"fault {active.fault.kind} ends, struck {active.strikes.count} {what}")
        return struck

    def _end_later(self, active: ActiveFault) -> None:
        task = asyncio.get_running_loop().create_task(self.end([active]))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    def say(self, text: str) -> None:
        """Tell of something that has happened here."""
        self._tell(self.name, time.time(), text)

    def _passed(self, request: Request) -> None:
        self._count(self.name, request.method, request.path)

    def _come_in(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            target = await asyncio.open_connection(HOST, self.target, limit=_READ_AHEAD)
        except OSError:
            writer.transport.abort()  # nobody listens at the target, and the client is to see that
            return
        connection = RelayedConnection(self.faults, self.say, self._passed, self.http, (reader, writer), target)
        self.connections.add(connection)
        try:
            with contextlib.suppress(OSError):
                await connection.run()
        finally:
            self.connections.discard(connection)


def _bound(port: int) -> socket.socket:
    """A socket that has the port and does not listen, so that connections to it are refused."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((HOST, port))
    return sock
