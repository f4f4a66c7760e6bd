"""A connection through the relay: what comes from one end goes to the other, by way of the faults that are on."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import Any

from peeklock.stack.faults import Commit, CommitFault, NetworkFault, Request, Strikes, Way
from peeklock.stack.relay.active_fault import ActiveFault
from peeklock.stack.relay.exchange import exchange
from peeklock.stack.relay.postgres.watching import watch
from peeklock.stack.relay.postgres.witness import Witness

_CHUNK = 64 * 1024
_WAITING = 32
"""Chunks that may be under way in one direction before nothing more is read."""


class RelayedConnection:
    """Both ends of a connection. It is over as soon as `reset` or `close` was called, or both ends have closed."""

    def __init__(
        self,
        faults: Sequence[ActiveFault],
        say: Callable[[str], None],
        passed: Callable[[Request], None] | None,
        witness: Witness | None,
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        target: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        """`faults`: those that are on, whenever it is looked at; `say` hears what happens. `passed`: hears of each request that was
        answered, where the target speaks HTTP; `witness`: hears of transactions, where it is Postgres."""
        self.faults, self.say, self.witness = faults, say, witness
        self._passed = passed
        self.from_client, self._to_client = client
        self.from_target, self._to_target = target
        self.counted: dict[Strikes, int] = {}
        """What faults count for themselves."""
        self._queues: dict[Way, asyncio.Queue[tuple[bytes | None, float]]] = {
            "requests": asyncio.Queue(_WAITING),
            "answers": asyncio.Queue(_WAITING),
        }
        self._over = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Carry bytes until it is over."""
        senders = [
            self._spawn(self._send("requests", self._to_target)),
            self._spawn(self._send("answers", self._to_client)),
        ]
        for active in self.faults:
            self.meet(active)
        self._spawn(self._carry())
        both = asyncio.gather(*senders, return_exceptions=True)
        over = asyncio.ensure_future(self._over.wait())
        either: set[asyncio.Future[Any]] = {both, over}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        for task in (*self._tasks, over):
            task.cancel()
        await asyncio.gather(*self._tasks, both, over, return_exceptions=True)
        if self.witness is not None:
            self.witness.close()
        for writer in (self._to_client, self._to_target):
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _carry(self) -> None:
        if self._passed is not None:
            await exchange(self)
        elif self.witness is not None:
            await watch(self, self.witness.conversation)
        else:
            await self.copy()

    def passed(self, request: Request) -> None:
        """Tell of a request that the target has answered."""
        if self._passed is not None:
            self._passed(request)

    async def commit(self, changes: Sequence[str], *, done: bool) -> None:
        """A transaction is about to be committed, or was: let faults have their way with it."""
        commit = Commit("" if self.witness is None else self.witness.service, changes, done)
        due = [
            (active.fault, active.strikes)
            for active in self.faults
            if isinstance(active.fault, CommitFault) and not active.strikes.spent and active.fault.meant(commit)
            if active.strikes.is_due(active.fault.nth)
        ]
        for fault, strikes in due:
            if strikes.strike(str(commit)):  # one commit suffers one of them; the others wait for the next
                await fault.meet(strikes, self)
                return

    def meet(self, active: ActiveFault) -> None:
        """Let a fault that is on have its way with the connection."""
        if isinstance(active.fault, NetworkFault):
            self._spawn(active.fault.meet(active.strikes, self))

    async def put(self, way: Way, data: bytes | None) -> None:
        """Send bytes on one way; None ends that way."""
        if data == b"":
            return
        await self._queues[way].put((data, asyncio.get_running_loop().time()))

    async def copy(self) -> None:
        """Send on whatever comes, both ways."""
        await asyncio.gather(self._read("requests", self.from_client), self._read("answers", self.from_target))

    def close(self) -> None:
        """End it: what was sent still arrives."""
        self._over.set()

    def reset(self) -> None:
        """Break it: both ends get a TCP RST."""
        for writer in (self._to_client, self._to_target):
            sock: socket.socket | None = writer.get_extra_info("socket")
            if sock is not None:
                with contextlib.suppress(OSError):
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        self._over.set()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        return task

    async def _read(self, way: Way, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK):
                await self.put(way, data)
        await self.put(way, None)

    async def _send(self, way: Way, writer: asyncio.StreamWriter) -> None:
        queue = self._queues[way]
        with contextlib.suppress(OSError):
            while True:
                data, at = await queue.get()
                if data is None:
                    writer.write_eof()
                    return
                async for piece in _through(list(self.faults), self, way, data, at):
                    writer.write(piece)
                    await writer.drain()
        self.close()  # the other end has gone: what comes from this one can go nowhere


async def _through(
    faults: Sequence[ActiveFault], connection: RelayedConnection, way: Way, data: bytes, at: float
) -> AsyncIterator[bytes]:
    if not faults:
        yield data
        return
    first, *others = faults
    if not isinstance(first.fault, NetworkFault) or first.strikes.spent:
        async for piece in _through(others, connection, way, data, at):
            yield piece
        return
    first.strikes.touch(connection)
    async for part in first.fault.carry(first.strikes, connection, way, data, at):
        async for piece in _through(others, connection, way, part, at):
            yield piece
