"""The emulator inside this process: its own thread, its own port."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from peeklock.connection_strings import servicebus_connection_string

from .auth import DEFAULT_RULE, AccessRule
from .broker import Clock, SystemClock
from .fault_controls import FaultControls
from .gateway import Limits, Server
from .ledger import Entry
from .topology import Topology

if TYPE_CHECKING:
    from .issuer import Issuer

if TYPE_CHECKING:
    from .store.file import Store

T = TypeVar("T")


class LedgerReader:
    """Reads an emulator's ledger from any thread."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator

    @property
    def cursor(self) -> int:
        """The number of the newest entry."""
        return self._emulator.call(lambda server: server.namespace.ledger.cursor)

    def entries(self, after: int = 0, limit: int | None = None) -> list[Entry]:
        """Return the entries numbered above `after`, oldest first."""
        return self._emulator.call(lambda server: server.namespace.ledger.entries(after, limit))

    def wait_for(
        self, condition: Callable[[list[Entry]], bool], *, after: int = 0, timeout: float = 10.0
    ) -> list[Entry]:
        """Return the entries above `after` as soon as `condition` holds for them. Raises `TimeoutError`."""
        return self._emulator.run(self._wait(condition, after, timeout))

    async def _wait(self, condition: Callable[[list[Entry]], bool], after: int, patience: float) -> list[Entry]:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + patience
        while True:
            server = self._emulator.server
            entries = server.namespace.ledger.entries(after)
            if condition(entries):
                return entries
            woken = asyncio.Event()
            forget = server.namespace.ledger.notify(woken.set)
            try:
                await asyncio.wait_for(woken.wait(), deadline - loop.time())
            except TimeoutError:
                last = [f"{e.number} {e.entity} {e.event} {e.message_id or ''}" for e in entries[-20:]]
                raise TimeoutError("the ledger did not get there; its last entries:\n" + "\n".join(last)) from None
            finally:
                forget()


class Emulator:
    """One namespace in this process; use it as a context manager.

    `clock` may be a `ManualClock`; after moving it call `advance`. Everything listens on 127.0.0.1. With a `data_folder` the
    namespace outlives the emulator: one of the same `name` finds it there again. `issuer` is for Entra tokens; a topology whose
    `identity` names none gets one. With `any_key` keys are not checked, as in Microsoft's emulator. Raises `OSError`, `StoreError` and `TopologyError` on entering.
    """

    def __init__(
        self,
        topology: Topology | None = None,
        *,
        name: str = "sbemulatorns",
        clock: Clock | None = None,
        limits: Limits | None = None,
        data_folder: Path | str | None = None,
        issuer: Issuer | None = None,
        any_key: bool = False,
    ) -> None:
        self.topology = topology or Topology()
        self.name = name
        self.clock: Clock = clock or SystemClock()
        self.ledger = LedgerReader(self)
        self.faults = FaultControls(self.call)
        self._limits = limits
        self._issuer = issuer
        self._any_key = any_key
        self._data_folder = None if data_folder is None else Path(data_folder)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._server: Server | None = None

    def __enter__(self) -> Self:
        started: threading.Event = threading.Event()
        failure: list[BaseException] = []

        async def main() -> None:
            store = None
            try:
                store = self._store()
                issuer = await self._start_issuer()
                server = Server(
                    self.name,
                    self.topology,
                    self.clock,
                    limits=self._limits,
                    store=store,
                    issuer=issuer,
                    any_key=self._any_key,
                )
                await server.start()
            except BaseException as error:  # noqa: BLE001 -- whoever waits for the start is told, whatever it is
                if store is not None:
                    store.close()
                if self._issuer is not None:
                    await self._issuer.stop()
                failure.append(error)
                started.set()
                return
            self._server = server
            self._loop = asyncio.get_running_loop()
            self._stopping = asyncio.Event()
            started.set()
            await self._stopping.wait()
            await server.stop()
            if self._issuer is not None:
                await self._issuer.stop()

        self._thread = threading.Thread(target=asyncio.run, args=(main(),), name="servicebus", daemon=True)
        self._thread.start()
        started.wait()
        if failure:
            self._thread.join(10)
            raise failure[0]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._loop is not None
        assert self._thread is not None
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(10)
        self._loop = self._server = None

    async def _start_issuer(self) -> Issuer | None:
        identity = self.topology.identity
        if self._issuer is None and identity is not None and not identity.issuer:
            from .issuer import Issuer

            self._issuer = Issuer(now=self.clock.now)
        if self._issuer is not None:
            await self._issuer.start()
        return self._issuer

    def _store(self) -> Store | None:
        if self._data_folder is None:
            return None
        from .store.file import Store

        return Store(self._data_folder, self.name)

    @property
    def server(self) -> Server:
        """The running server; touch it only through `call` and `run`."""
        if self._server is None:
            raise RuntimeError("the emulator is not running: use it as a context manager")
        return self._server

    @property
    def issuer(self) -> Issuer:
        """The token issuer: the one that was given, or the emulator's own, which a topology's `identity` asks for."""
        if self._issuer is None:
            raise RuntimeError("there is no issuer: give the topology an identity, Topology(identity=Identity(...))")
        return self._issuer

    @property
    def port(self) -> int:
        """The AMQP port."""
        return self.server.port

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the emulator's loop; return its result."""
        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def call(self, function: Callable[[Server], T]) -> T:
        """Call `function(server)` on the emulator's loop; return its result."""

        async def calling() -> T:
            return function(self.server)

        return self.run(calling())

    def connection_string(self, rule: str = DEFAULT_RULE) -> str:
        """Return what a client needs to connect with one of the access rules. Raises `KeyError` for an unknown rule."""
        rules = {known.name: known for known in self.topology.access_rules}
        if rule == DEFAULT_RULE and rule not in rules and rules:
            rule = next(iter(rules))
        return connection_string("localhost", self.port, rules[rule])

    def reset(self) -> int:
        """Empty everything; return the ledger's cursor."""
        return self.call(lambda server: server.administration.reset())

    def advance(self, seconds: float) -> None:
        """Move the clock forward and do at once what it brings (locks, schedules, expiries, tokens)."""

        def move(server: Server) -> None:
            self.clock.advance(seconds)  # type: ignore[attr-defined]
            server.run_due()

        self.call(move)

    def set_status(self, path: str, status: str) -> None:
        """Set the status of a queue, topic or subscription: Active, Disabled, SendDisabled, ReceiveDisabled (S-77)."""
        self.call(lambda server: server.administration.set_status(path, status))

    def entities(self) -> list[dict[str, Any]]:
        """Return counts and receivers of every queue."""
        return self.call(lambda server: server.administration.queues())

    def topics(self) -> list[dict[str, Any]]:
        """Return topics with their subscriptions, with counts and receivers."""
        return self.call(lambda server: server.administration.topics())


def connection_string(host: str, port: int, rule: AccessRule) -> str:
    """Write a connection string for an access rule of an emulator on a port."""
    return servicebus_connection_string(f"{host}:{port}", rule.name, rule.key)
