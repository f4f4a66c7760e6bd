"""All namespaces of one process, and its one clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .broker import SystemClock
from .gateway import Limits, Server
from .topology import Topology


class Host:
    """Namespaces by name, each with its own listener; `log(event, **fields)` gets what happens."""

    def __init__(self, address: str = "127.0.0.1", *, log: Callable[..., None], limits: Limits | None = None) -> None:
        self.address = address
        self.clock = SystemClock()
        self.servers: dict[str, Server] = {}
        self._log = log
        self._limits = limits

    async def add(self, name: str, topology: Topology) -> Server:
        """Make a namespace and listen for it. Raises `OSError` when its port is taken."""

        def log(event: str, **fields: Any) -> None:
            self._log(event, namespace=name, **fields)

        server = Server(name, topology, self.clock, host=self.address, limits=self._limits, log=log)
        self.servers[name] = server
        try:
            await server.start()
        except BaseException:
            del self.servers[name]
            raise
        log("namespace.listening", port=server.port, queues=len(topology.queues))
        return server

    async def remove(self, name: str) -> None:
        """Close a namespace and its connections."""
        await self.servers.pop(name).stop()
        self._log("namespace.closed", namespace=name)

    async def close(self) -> None:
        """Close all namespaces."""
        for name in list(self.servers):
            await self.remove(name)

    def advance(self, seconds: float) -> float:
        """Move the clock of all namespaces and do at once what it brings; return the new time."""
        self.clock.offset += seconds
        for server in self.servers.values():
            server.run_due()
        return self.clock.now()
