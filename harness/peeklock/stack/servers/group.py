"""The servers of one stack, each started when it is first asked for."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from typing import Any

from peeklock.errors import PeeklockError
from peeklock.stack.servers.blobs import BlobServer
from peeklock.stack.servers.postgres import PostgresServer
from peeklock.stack.servers.servicebus import ServiceBusServer
from peeklock.supervision.children import Children

KINDS = ("postgres", "blobs", "servicebus")
"""The dependencies that there are."""
_PROCESSES = {"postgres": PostgresServer.PROCESS, "blobs": BlobServer.PROCESS, "servicebus": ServiceBusServer.PROCESS}
AnyServer = PostgresServer | BlobServer | ServiceBusServer


class ServerGroup:
    """Thread-safe. Whoever asks for a server waits until it answers, and gets the error when it could not be started."""

    def __init__(
        self, children: Children, found: Mapping[str, Any], start: Callable[[str], AnyServer],
        find: Callable[[str, Mapping[str, Any]], AnyServer],
    ) -> None:  # fmt: skip
        """`found`: the state, by kind, of servers that another process has started; `find` makes a server of a kind from it."""
        self._children, self._found, self._start, self._find = children, found, start, find
        self._servers: dict[str, Future[Any]] = {}
        self._lock = threading.Lock()
        self.began = time.monotonic()
        self.timings: dict[str, float] = {}
        """Seconds from `began` until each answered; nothing for what was found running."""

    def begin(self, kind: str) -> Future[Any]:
        """The server of a kind, being started at the first call; a thread each, so that they start side by side."""
        with self._lock:
            future = self._servers.get(kind)
            if future is None:
                future = self._servers[kind] = Future()
                threading.Thread(target=self._bring, args=(kind, future), name=f"start-{kind}", daemon=True).start()
            return future

    def _bring(self, kind: str, future: Future[Any]) -> None:
        try:
            if kind in self._found:
                server = self._find(kind, self._found[kind])
            else:
                server = self._start(kind)
                self.timings[kind] = time.monotonic() - self.began
        except BaseException as error:  # noqa: BLE001  it belongs to whoever asks for the server
            self._forget(kind)
            future.set_exception(error)
        else:
            future.set_result(server)

    def _forget(self, kind: str) -> None:
        """Let whoever asks next start it anew: what was in its way may be gone by then."""
        with contextlib.suppress(PeeklockError):
            self._children.end_all(_PROCESSES[kind])
        with self._lock:
            del self._servers[kind]

    def postgres(self) -> PostgresServer:
        server: PostgresServer = self.begin("postgres").result()
        return server

    def blobs(self) -> BlobServer:
        server: BlobServer = self.begin("blobs").result()
        return server

    def servicebus(self) -> ServiceBusServer:
        server: ServiceBusServer = self.begin("servicebus").result()
        return server

    def wait(self, kinds: Iterable[str] = KINDS) -> None:
        """Until all of these answer. Raises the first error."""
        for future in [self.begin(kind) for kind in kinds]:
            future.result()

    def check(self, kinds: Iterable[str]) -> None:
        """Raise the `StackError` that tells of the end of one of these. Costs less than a millisecond."""
        ended = {child["name"] for child in self._children.all() if child["code"] is not None}
        for kind in kinds:
            server = self.begin(kind).result()
            if server.PROCESS in ended:
                raise server.lost()

    def stands(self, kind: str) -> bool:
        """Whether a server of this kind answers; does not start one."""
        future = self._servers.get(kind)
        if future is None:
            return kind in self._found
        return future.done() and future.exception() is None

    def states(self) -> dict[str, Any]:
        """What another process needs to use those that were asked for, by kind; waits for them."""
        return {kind: self.begin(kind).result().state for kind in list(self._servers)}

    def tidy(self) -> None:
        """Remove what was made on servers that outlive the stack. Raises `StackError`."""
        for future in self._servers.values():
            if future.done() and future.exception() is None:
                future.result().tidy()

    def close(self) -> None:
        """Hang up; the servers go on."""
        for future in self._servers.values():
            if future.done() and future.exception() is None:
                future.result().close()
