"""All namespaces of one process, and its one clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .broker import SystemClock
from .gateway import Limits, Server
from .gateway.loop_monitor import LoopMonitor
from .topology import Topology

if TYPE_CHECKING:
    from .issuer import Issuer


HELD = 10.0
"""Seconds for which nobody is let in, when whoever asked for that forgets to move the clock."""


class Host:
    """Namespaces by name, each with its own listener; made inside the event loop. `log(event, **fields)` gets what happens. With a `data_folder` they
    outlive the process; `on_failure` is called when one can be kept no more."""

    def __init__(
        self,
        address: str = "127.0.0.1",
        *,
        log: Callable[..., None],
        limits: Limits | None = None,
        ledger_cap: int | None = None,
        data_folder: Path | None = None,
        any_key: bool = False,
        on_failure: Callable[[], None] = lambda: None,
    ) -> None:
        self.address = address
        self.clock = SystemClock()
        self.servers: dict[str, Server] = {}
        self.monitor = LoopMonitor()
        self.issuer: Issuer | None = None
        """The process's own token issuer; its tokens are taken by the namespaces that are made after it."""
        self._log = log
        self._limits = limits
        self._ledger_cap = ledger_cap
        self._data_folder = data_folder
        self._any_key = any_key
        self._on_failure = on_failure
        self._held: asyncio.TimerHandle | None = None

    async def add(self, name: str, topology: Topology) -> Server:
        """Make a namespace, with what is kept of it, and listen for it. Raises `OSError` when its port is taken, and
        `StoreError`."""

        def log(event: str, **fields: Any) -> None:
            self._log(event, namespace=name, **fields)

        store = None
        if self._data_folder is not None:
            from .store.file import Store

            store = Store(self._data_folder, name)
        try:
            server = Server(
                name,
                topology,
                self.clock,
                host=self.address,
                limits=self._limits,
                log=log,
                ledger_cap=self._ledger_cap,
                store=store,
                monitor=self.monitor,
                issuer=self.issuer,
                any_key=self._any_key,
                on_failure=self._on_failure,
            )
            await server.start()
        except BaseException:
            if store is not None:
                store.close()
            raise
        self.servers[name] = server
        self.monitor.start()
        log("namespace.listening", port=server.port, queues=len(topology.queues))
        return server

    async def restore(self) -> None:
        """Make the namespaces that the data folder has and that are not there yet. Raises as `add` does."""
        if self._data_folder is None:
            return
        from .store.file import Store, stored_namespaces

        for name in stored_namespaces(self._data_folder):
            if name not in self.servers:
                store = Store(self._data_folder, name)
                definition = store.definition()
                store.close()
                if definition is not None:
                    await self.add(name, Topology.from_json(definition.topology))

    async def remove(self, name: str) -> None:
        """Close a namespace and its connections; nothing is kept of it."""
        server = await self._close(name)
        server.forget()

    async def _close(self, name: str) -> Server:
        server = self.servers.pop(name)
        await server.stop()
        self._log("namespace.closed", namespace=name)
        return server

    async def close(self) -> None:
        """Close all namespaces."""
        self.monitor.stop()
        for name in list(self.servers):
            await self._close(name)

    def now(self) -> float:
        """Tell epoch seconds by the clock of all namespaces."""
        return self.clock.now()

    async def hold(self, seconds: float) -> bool:
        """Have no handshake under way while the clock is moved: nobody begins one until `advance` or `release`, or `HELD` seconds
        are over, and those that have begun come to an end. Wait for that, at most so many seconds; return whether it came."""
        self.release()
        self._held = asyncio.get_running_loop().call_later(seconds + HELD, self.release)
        return all(await asyncio.gather(*(server.hold(seconds) for server in self.servers.values())))

    def release(self) -> None:
        """Let clients of all namespaces in again."""
        if self._held is not None:
            self._held.cancel()
            self._held = None
            for server in self.servers.values():
                server.release()

    def advance(self, seconds: float) -> float:
        """Move the clock of all namespaces and do at once what it brings; return the new time. Raises `ArgumentOutOfRange`."""
        self.clock.advance(seconds)
        for server in self.servers.values():
            server.run_due()
        self.release()
        return self.clock.now()
