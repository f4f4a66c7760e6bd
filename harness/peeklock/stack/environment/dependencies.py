"""The dependencies of an environment with a stack of its own: each can be ended, held still, and started again on its data."""

from __future__ import annotations

import time
from collections.abc import Callable

from peeklock.servicebus.ledger import EventKind
from peeklock.stack.environment.host_stack import HostStack
from peeklock.stack.errors import StackError
from peeklock.stack.servers.ledger_feed import LedgerFeed
from peeklock.stack.servers.server import Server
from peeklock.supervision.client import RequestError, SupervisorClient
from peeklock.supervision.readiness import Watcher, announces

_WITHIN = 30.0


class OwnDependencies:
    """Implements `backend.Dependencies`. `feed` tells where the ledger is read, which has to do without while the emulator is away."""

    def __init__(
        self, supervisor: SupervisorClient, stack: HostStack, namespace: str, feed: Callable[[], LedgerFeed | None]
    ) -> None:
        self._supervisor, self._stack, self._namespace, self._feed = supervisor, stack, namespace, feed
        self._away: set[str] = set()
        self._cut_off: dict[str, float] = {}
        self._known: int | None = None
        """Where the ledger was when the emulator was asked who has something in hand."""

    def away(self, kind: str) -> bool:
        return kind in self._away

    def cut_off(self) -> dict[str, float]:
        """Who had deliveries in hand when the emulator was ended, which knows nothing of that any more: access rules, and when that
        was (Unix seconds). Told once."""
        told, self._cut_off = self._cut_off, {}
        return told

    def stop(self, kind: str) -> None:
        self._note_deliveries(kind)
        self._leave(kind)
        self._stack.children.stop(self._server(kind).PROCESS)

    def kill(self, kind: str) -> None:
        if kind == "blobs":
            raise StackError(
                "blobs cannot be killed: Azurite would lose what it has not written to its disk yet, which Azure never does",
                fix="use stop, restart or pause",
            )
        self._note_deliveries(kind)
        self._leave(kind)
        self._stack.children.kill(self._server(kind).PROCESS)

    def pause(self, kind: str) -> None:
        self._leave(kind)
        self._stack.children.pause(self._server(kind).PROCESS)

    def resume(self, kind: str) -> None:
        self._stack.children.resume(self._server(kind).PROCESS)
        self._come_back(kind)

    def start(self, kind: str) -> None:
        server = self._server(kind)
        if self.running(kind):
            return
        watcher = Watcher(self._supervisor, server.PROCESS, title=server.TITLE, log_file=server.log_file)
        try:
            self._stack.children.start_again(server.PROCESS)
            watcher.until_line(announces(server.READY), server.READY, _WITHIN)
        except RequestError as error:
            raise StackError(f"{server.TITLE} could not be started again", actual=str(error.facts)) from error
        finally:
            watcher.close()
        server.forget_connections()
        self._come_back(kind)

    def running(self, kind: str) -> bool:
        name = self._server(kind).PROCESS
        return any(child["code"] is None for child in self._stack.children.all(name) if child["name"] == name)

    def revive(self) -> None:
        """Whatever a case did to them: all run again."""
        for kind in sorted(self._away):
            if self.running(kind):
                self.resume(kind)
            else:
                self.start(kind)

    def _server(self, kind: str) -> Server:
        server: Server = getattr(self._stack.servers, kind)()
        return server

    def _note_deliveries(self, kind: str) -> None:
        feed = self._feed()
        if kind == "servicebus" and kind not in self._away and feed is not None:
            _, self._known = feed.read(0, 0.0)
            found = self._stack.servers.servicebus().deliveries_in_hand(self._namespace)
            self._cut_off |= dict.fromkeys((each["principal"] for each in found), time.time())

    def _leave(self, kind: str) -> None:
        self._away.add(kind)
        feed = self._feed()
        if kind == "servicebus" and feed is not None:
            feed.suspend()

    def _come_back(self, kind: str) -> None:
        feed = self._feed()
        if kind == "servicebus" and feed is not None:
            feed.resume()
            if self._known is not None:  # whoever was given something between the question and the end
                late, self._known = feed.read(self._known, 0.0)[0], None
                given = [entry for entry in late if entry.event is EventKind.DELIVERED]
                rules = (str(entry.consumer).partition("@")[0] for entry in given)
                self._cut_off |= dict.fromkeys(rules, time.time())
        self._away.discard(kind)
