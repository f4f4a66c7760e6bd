"""What everything that serves one namespace shares."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from peeklock.servicebus.auth import TokenVerifier
from peeklock.servicebus.broker import BrokerError, Namespace
from peeklock.servicebus.ledger import EventKind

from .connections import Connections
from .deadline_timer import DeadlineTimer
from .detaching import LinkDetacher
from .failures import Failures
from .limits import Limits
from .loop_monitor import LoopMonitor
from .ports import Log
from .settlement_tracker import SettlementTracker
from .turns import TurnScheduler

READ_SIZE = 256 << 10


class NamespaceContext:
    """One namespace and its services; made by the server, inside the event loop."""

    def __init__(
        self,
        namespace: Namespace,
        *,
        container_id: str,
        tokens: TokenVerifier,
        limits: Limits,
        log: Log,
        connections: Connections,
        turns: TurnScheduler,
        monitor: LoopMonitor,
        own_machine: bool = True,
    ) -> None:
        """`own_machine`: it listens where only this machine's programs can reach it."""
        self.loop = asyncio.get_running_loop()
        self.namespace = namespace
        self.container_id = container_id
        self.tokens = tokens
        self.limits = limits
        self.log = log
        self.connections = connections
        self.turns = turns
        self.monitor = monitor
        self.own_machine = own_machine
        self.failures = Failures(log)
        self.tracker = SettlementTracker(connections)
        self.detacher = LinkDetacher(namespace.name, connections, log)
        self.timer = DeadlineTimer(namespace, connections, self.detacher, turns, self.failures)
        self.port = 0
        """On which it is served, once it is."""
        self.checks: list[Callable[[], str | None]] = []
        """What has to be well: each returns what is wrong, or None."""
        self.read_buffer = memoryview(bytearray(READ_SIZE))
        """Shared by all connections: what is read into it is used up before the next one reads."""
        self._tasks: set[asyncio.Task[None]] = set()
        turns.at_end.append(self.tracker.wake)

    def spawn(self, work: Coroutine[Any, Any, None], what: str) -> None:
        """Do something in a task of its own, which ends with the server; `what` is for the log, should it fail."""

        async def watched() -> None:
            try:
                await work
            except Exception as error:  # noqa: BLE001 -- nobody waits for it: the log has to tell
                self.failures.unforeseen(error, what)

        task = self.loop.create_task(watched())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def tell_refusal(self, path: str, right: str, principal: str) -> None:
        """Have the ledger tell that somebody's token does not give a right on the entity at `path`."""
        try:
            name = self.namespace.entity(path).name
        except BrokerError:
            return  # the names of strangers are nobody's history
        facts = {"principal": principal, "right": right}
        self.namespace.ledger.record_entity(self.namespace.clock.now(), name, EventKind.ACCESS_REFUSED, facts)

    def problems(self) -> list[str]:
        """Return what keeps this namespace from working; nothing when all is well."""
        return [problem for check in self.checks if (problem := check()) is not None]

    def stop(self) -> None:
        """End the timer and every task."""
        self.timer.stop()
        for task in list(self._tasks):
            task.cancel()
