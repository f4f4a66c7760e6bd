"""Where services connect to reach one target."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
import time
from collections.abc import Mapping
from typing import Literal, Protocol

from peeklock.stack.faults import Fault, NetworkFault, Request, Strikes
from peeklock.stack.relay.active_fault import ActiveFault
from peeklock.stack.relay.connection import RelayedConnection
from peeklock.stack.relay.postgres.transaction import Transaction
from peeklock.stack.relay.postgres.witness import Witness

HOST = "127.0.0.1"
_READ_AHEAD = 1 << 20
ProtocolName = Literal["http", "postgres", "bytes"]
"""What the target speaks, as far as it is read: `bytes` is carried as it is."""


class Hearer(Protocol):
    """Hears of what happens at a target."""

    def tell(self, target: str, at: float, text: str) -> None:
        """Hear of what a fault does. `at`: Unix seconds."""

    def count(self, target: str, method: str, path: str) -> None:
        """Hear of a request that was answered."""

    def saw(self, target: str, service: str, transaction: Transaction) -> None:
        """Hear of a transaction that has ended."""

    def unread(self, target: str, service: str, why: str) -> None:
        """Hear that transactions of a connection are not seen from now on."""


class RelayListener:
    """Listens on ports, and connects whoever comes with the target's port."""

    def __init__(
        self, name: str, doors: Mapping[str, int], target: int, protocol: ProtocolName, hearer: Hearer
    ) -> None:  # fmt: skip
        """`doors`: a port for each service that has its own, by which it is known; "": that of everybody else."""
        self.name, self.target, self.protocol = name, target, protocol
        self.doors = dict(doors)
        self.connections: set[RelayedConnection] = set()
        self.faults: list[ActiveFault] = []
        self._hearer = hearer
        self._servers: list[asyncio.Server] = []
        self._held = {door: _bound(port) for door, port in self.doors.items()}
        self._serving: set[asyncio.Task[None]] = set()
        self._ending: set[asyncio.Task[int]] = set()

    async def open(self) -> None:
        """Let clients in."""
        if not self._servers:
            self._servers = [
                await asyncio.start_server(functools.partial(self._come_in, door), sock=held, limit=_READ_AHEAD)
                for door, held in self._held.items()
            ]

    def suffers(self, kind: type) -> bool:
        """Tell whether a fault of this class is on."""
        return any(isinstance(active.fault, kind) for active in self.faults)

    def shut(self) -> None:
        """Refuse connections. The ports stay ours."""
        if self._servers:
            for server in self._servers:
                server.close()
            self._servers = []
            self._held = {door: _bound(port) for door, port in self.doors.items()}

    async def close(self) -> None:
        """Break every connection, and give the ports up."""
        await self.end()
        self.shut()
        for held in self._held.values():
            held.close()
        for connection in list(self.connections):
            connection.reset()
        await asyncio.gather(*self._serving, return_exceptions=True)

    async def begin(self, fault: Fault, times: int | None, seconds: float | None) -> ActiveFault:
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
        return active

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
        self._hearer.tell(self.name, time.time(), text)

    def _passed(self, request: Request) -> None:
        self._hearer.count(self.name, request.method, request.path)

    def _saw(self, service: str, transaction: Transaction) -> None:
        self._hearer.saw(self.name, service, transaction)

    def _unread(self, service: str, why: str) -> None:
        self._hearer.unread(self.name, service, why)

    def _come_in(self, door: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(door, reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, door: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            target = await asyncio.open_connection(HOST, self.target, limit=_READ_AHEAD)
        except OSError:
            writer.transport.abort()  # nobody listens at the target, and the client is to see that
            return
        passed = self._passed if self.protocol == "http" else None
        witness = Witness(door, self.doors, self._saw, self._unread) if self.protocol == "postgres" else None
        connection = RelayedConnection(self.faults, self.say, passed, witness, (reader, writer), target)
        self.connections.add(connection)
        try:
            with contextlib.suppress(OSError):
                await connection.run()
        finally:
            self.connections.discard(connection)


def _bound(port: int) -> socket.socket:
    """A socket that has the port and does not listen, so that connections to it are refused."""
    # asyncio switches Nagle's algorithm off only where a socket says that it is TCP: answers in two pieces took 40 ms
    sock = socket.socket(proto=socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((HOST, port))
    return sock
