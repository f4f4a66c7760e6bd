"""What processes that share a stack agree on, at its supervisor: leases, numbers, ports, state. Standard library only."""

from __future__ import annotations

import collections
import random
import socket
from typing import Any

from peeklock.supervision.ndjson import Connection, Refused
from peeklock.supervision.process_tree import LINUX

# Below the range from which the kernel hands out ports for outgoing connections and for bind(0).
PORTS = range(10_000, 32_000)


class Registry:
    """In memory only: the state holds keys and passwords."""

    def __init__(self) -> None:
        self.state: dict[str, Any] = {}
        self.leases: dict[str, Connection] = {}
        self.pools: dict[str, dict[int, str]] = collections.defaultdict(dict)
        self.ports: dict[int, socket.socket | None] = {}

    def closed(self, connection: Connection) -> None:
        """Free what the connection had leased."""
        for key in [k for k, holder in self.leases.items() if holder is connection]:
            del self.leases[key]

    def op_put(self, _c: Connection, request: dict[str, Any]) -> None:
        if request["value"] is None:
            self.state.pop(request["key"], None)
        else:
            self.state[request["key"]] = request["value"]

    def op_get(self, _c: Connection, request: dict[str, Any]) -> dict[str, Any]:
        return {"value": self.state.get(request["key"])}

    def op_keys(self, _c: Connection, request: dict[str, Any]) -> dict[str, Any]:
        return {"keys": [k for k in self.state if k.startswith(request.get("prefix", ""))]}

    def op_lease(self, connection: Connection, request: dict[str, Any]) -> dict[str, Any]:
        # Not to its holder again either: two files that one run works on side by side must not share an environment.
        if request["key"] in self.leases:
            return {"granted": False}
        self.leases[request["key"]] = connection
        return {"granted": True}

    def op_release(self, connection: Connection, request: dict[str, Any]) -> None:
        if self.leases.get(request["key"]) is connection:
            del self.leases[request["key"]]

    def op_leases(self, _c: Connection, _r: dict[str, Any]) -> dict[str, Any]:
        return {"keys": sorted(self.leases)}

    def op_claim(self, _c: Connection, request: dict[str, Any]) -> dict[str, Any]:
        """The lowest free number of a pool, kept until `unclaim` (it outlives the connection, as warm environments do)."""
        pool = self.pools[request["pool"]]
        number = next((n for n in range(request["size"]) if n not in pool), None)
        if number is None:
            raise Refused("pool_exhausted", size=request["size"])
        pool[number] = request["holder"]
        return {"number": number}

    def op_unclaim(self, _c: Connection, request: dict[str, Any]) -> None:
        self.pools[request["pool"]].pop(request["number"], None)

    def op_reserve_ports(self, _c: Connection, request: dict[str, Any]) -> dict[str, Any]:
        found: list[int] = []
        for port in random.sample(PORTS, len(PORTS)):
            if len(found) == request["count"]:
                return {"ports": found}
            if port not in self.ports and self._reserve(port):
                found.append(port)
        raise Refused("no_ports")

    def _reserve(self, port: int) -> bool:
        """True when nothing listens on `port` and no other supervisor of this machine has reserved it."""
        lock: socket.socket | None = None
        if LINUX:
            # A name in the abstract namespace is a lock that leaves no file and ends with the process that holds it.
            lock = socket.socket(socket.AF_UNIX)
            try:
                lock.bind(f"\0peeklock-port-{port}")
            except OSError:
                lock.close()
                return False
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                if lock is not None:
                    lock.close()
                return False
        self.ports[port] = lock
        return True

    def op_release_ports(self, _c: Connection, request: dict[str, Any]) -> None:
        for port in request["ports"]:
            lock = self.ports.pop(port, None)
            if lock is not None:
                lock.close()
