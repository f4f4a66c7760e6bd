"""The dependencies of an environment with a stack of its own: each can be ended, held still, and started again on its data."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from harness.stack.errors import StackError
from harness.stack.readiness import Watcher, announces
from harness.stack.servers.ledger_feed import LedgerFeed
from harness.stack.servers.server import Server
from harness.stack.supervisor_client import RequestError, SupervisorClient

if TYPE_CHECKING:
    from harness.stack.environment import Parts

_WITHIN = 30.0


class OwnDependencies:
    """Implements `backend.Dependencies`. `feed` tells where the ledger is read, which has to do without while the emulator is away."""

    def __init__(self, supervisor: SupervisorClient, parts: Parts, feed: Callable[[], LedgerFeed | None]) -> None:
        self._supervisor, self._parts, self._feed = supervisor, parts, feed
        self._away: set[str] = set()

    def away(self, kind: str) -> bool:
        return kind in self._away

    def stop(self, kind: str) -> None:
        self._leave(kind)
        self._parts.children.stop(self._server(kind).PROCESS)

    def kill(self, kind: str) -> None:
        if kind == "blobs":
            raise StackError(
                "blobs cannot be killed: Azurite would lose what it has not written to its disk yet, which Azure never does",
                fix="use stop, restart or pause",
            )
        self._leave(kind)
        self._parts.children.kill(self._server(kind).PROCESS)

    def pause(self, kind: str) -> None:
        self._leave(kind)
        self._parts.children.pause(self._server(kind).PROCESS)

    def resume(self, kind: str) -> None:
        self._parts.children.resume(self._server(kind).PROCESS)
        self._come_back(kind)

    def start(self, kind: str) -> None:
        server = self._server(kind)
        if self.running(kind):
            return
        watcher = Watcher(self._supervisor, server.PROCESS, title=server.TITLE, log_file=server.log_file)
        try:
            self._parts.children.start_again(server.PROCESS)
            watcher.until_line(announces(server.READY), server.READY, _WITHIN)
        except RequestError as error:
            raise StackError(f"{server.TITLE} could not be started again", actual=str(error.facts)) from error
        finally:
            watcher.close()
        server.forget_connections()
        self._come_back(kind)

    def running(self, kind: str) -> bool:
        name = self._server(kind).PROCESS
        return any(child["code"] is None for child in self._parts.children.all(name) if child["name"] == name)

    def revive(self) -> None:
        """Whatever a case did to them: all run again."""
        for kind in sorted(self._away):
            if self.running(kind):
                self.resume(kind)
            else:
                self.start(kind)

    def _server(self, kind: str) -> Server:
        server: Server = getattr(self._parts, kind)()
        return server

    def _leave(self, kind: str) -> None:
        self._away.add(kind)
        feed = self._feed()
        if kind == "servicebus" and feed is not None:
            feed.suspend()

    def _come_back(self, kind: str) -> None:
        feed = self._feed()
        if kind == "servicebus" and feed is not None:
            feed.resume()
        self._away.discard(kind)
