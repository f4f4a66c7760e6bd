"""A namespace of Azure Service Bus: queues with a prefix of this run's own, made and removed through its administration API."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Mapping
from typing import Any

from peeklock.scenario.topology import Queue
from peeklock.servicebus import Client, ServiceBusError
from peeklock.servicebus.ledger import Entry
from peeklock.servicebus.paths import DEAD_LETTER_SUFFIX
from peeklock.stack.azure.administration import Administration
from peeklock.stack.azure.observed import Observed
from peeklock.stack.errors import StackError
from peeklock.stack.progress import Progress
from peeklock.stack.servers.made import PREFIX, Made, remove_left
from peeklock.stack.servers.server import Server
from peeklock.stack.servers.servicebus import Control, ServiceBusServer
from peeklock.supervision.client import SupervisorClient

_OURS = re.compile(rf"{PREFIX}[0-9a-f]{{8}}-[\w.-]+")
_DRAINED_WITHIN = 60.0
"""Seconds for a queue to become empty: whoever holds a message may keep it for as long as its lock."""


class AzureServiceBus(ServiceBusServer):
    """Offers what environments ask of an emulator, as far as the public API can tell or do it."""

    TITLE = "the Service Bus namespace"

    def __init__(self, supervisor: SupervisorClient, state: Mapping[str, Any]) -> None:
        Server.__init__(self, supervisor, state)
        self._string: str = state["connection_string"]
        self._prefix: str = state["prefix"]
        self._administration = Administration(self._string)
        self._observed: dict[str, Observed] = {}
        self._queues: dict[str, dict[str, str]] = {}
        self._lock = threading.Lock()
        self._made: Made | None = None

    def begin(self, progress: Progress) -> AzureServiceBus:
        """Remove what runs that were killed have left; return self when a message went round. Raises `StackError`."""
        left = remove_left(self._administration.where, self._remove)
        if left:
            progress(f"removed {left} queues that a run which was killed had left in the namespace")
        self._made = Made.begin(self._administration.where)
        progress(f"{self._administration.where} stands for Service Bus: queues {self._prefix}-…")
        return self

    def new_control(self) -> Control:
        return Control(0, "")  # nobody asks it anything: there is no control API in the cloud

    def name_of(self, namespace: str, queue: str) -> str:
        """What a queue of an environment is called in the namespace."""
        return f"{self._prefix}-{namespace}-{queue}"

    def connection_string(self, _port: int, _rule: str, _key: str) -> str:
        return self._string

    def create_namespace(self, name: str, topology: Mapping[str, Any]) -> int:
        names = {queue: self.name_of(name, queue) for queue in topology["queues"]}
        for queue, settings in topology["queues"].items():
            assert self._made is not None
            self._made.note(names[queue])
            self._administration.create_queue(names[queue], Queue.model_construct(**settings))
        with self._lock:
            self._queues[name] = names
            self._observed[name] = Observed(Client(self._string), names)
        return 0

    def change_namespace(self, name: str, topology: Mapping[str, Any]) -> None:
        """Nothing: identities, of which this would tell, are skipped."""

    def delete_namespace(self, name: str) -> None:
        with self._lock:
            observed, queues = self._observed.pop(name, None), self._queues.pop(name, {})
        if observed is not None:
            observed.close()
        for queue in queues.values():
            self._remove(queue)

    def reset(self, name: str) -> int:
        """Drain every queue, its dead letters and what is scheduled; the cursor behind which the new life begins."""
        deadline = time.monotonic() + _DRAINED_WITHIN
        observed = self._observed[name]
        with self._telling(), Client(self._string) as client:
            while True:
                for queue in self._queues[name].values():
                    _drain(client, queue)
                if observed.empty():
                    return observed.forget()
                if time.monotonic() > deadline:
                    raise StackError(
                        "a queue does not become empty between two cases",
                        actual=f"messages are there after {_DRAINED_WITHIN:g} s: locked by a service, or deferred",
                        fix="shorten its lock_duration, or have the service let go of its messages",
                    )

    def ledger(self, name: str, after: int, wait: float, _control: Control | None = None) -> tuple[list[Entry], int]:
        observed = self._observed.get(name)
        if observed is None:
            return [], after
        with self._telling():
            return observed.entries(after, wait)

    def entities(self, name: str) -> list[dict[str, Any]]:
        with self._telling():
            return list(self._observed[name].counts())

    def deliveries_in_hand(self, *_: object) -> list[dict[str, Any]]:
        return []  # nobody outside can tell

    def end_faults(self, _name: str) -> int:
        return 0

    def _telling(self) -> _Telling:
        return _Telling(self)

    def _remove(self, queue: str) -> None:
        if _OURS.fullmatch(queue):  # never anything else, whatever a file says
            self._administration.delete(queue)

    def tidy(self) -> None:
        for name in list(self._queues):
            self.delete_namespace(name)
        if self._made is not None:
            self._made.done()

    def _lost(self, error: Exception) -> StackError:
        return StackError(f"{self.TITLE} does not answer", actual=f"{type(error).__name__}: {error}")

    def close(self) -> None:
        for observed in self._observed.values():
            observed.close()
        self._administration.close()


class _Telling:
    """Tells in a `StackError` of a namespace that cannot be asked."""

    def __init__(self, server: AzureServiceBus) -> None:
        self._server = server

    def __enter__(self) -> None: ...

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, ServiceBusError | OSError):
            raise self._server._lost(error) from error  # noqa: SLF001


def _drain(client: Client, queue: str) -> None:
    for scheduled in client.peek(queue, 250):
        if scheduled.state == "scheduled":
            client.cancel(queue, scheduled.sequence_number)
    for name in (queue, queue + DEAD_LETTER_SUFFIX):
        while client.receive(name, 100, wait=0.1, mode="receive_and_delete"):
            pass
