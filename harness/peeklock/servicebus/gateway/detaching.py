"""Every reason for which the service takes a link down, and the one place that does it."""

from __future__ import annotations

from collections.abc import Collection

from peeklock.servicebus.amqp.errors import DETACH_FORCED, UNAUTHORIZED, AmqpError
from peeklock.servicebus.broker import Queue
from peeklock.servicebus.broker.errors import EntityDisabled, EntityNotFound

from .connections import Connections
from .ports import LinkHandler, Log, OpenConnection
from .tracking import tracked

LOOKS = 20
"""How often a link is looked at within its idle limit: it is detached at most a twentieth too late."""


class LinkDetacher:
    """Takes down links of one namespace."""

    def __init__(self, namespace: str, connections: Connections, log: Log) -> None:
        self._namespace = namespace
        self._connections = connections
        self._log = log

    def detach(self, connection: OpenConnection, handler: LinkHandler, condition: str, text: str) -> None:
        """Take one link down, with the tail of error texts that clients know from the service."""
        path = "" if handler.queue is None else handler.queue.name
        self._log("link.detached", peer=connection.name, link=handler.link.name, condition=condition)
        connection.drop(handler, AmqpError(condition, tracked(text, self._namespace, path)))

    def idle(self, now: float, limit: float) -> None:
        """Take down the data links that were idle for `limit` seconds; `now` is the event loop's time (S-5).

        Clients make them anew when they need them. A receiver that waits for messages or for a session is not idle.
        """
        for connection, handler in self._connections.handlers():
            if handler.role == "request":
                continue
            if handler.used or handler.waits:
                handler.used, handler.idle_since = False, now
            elif now - handler.idle_since >= limit:
                self.detach(connection, handler, DETACH_FORCED, _idle_text(handler, limit))

    def receivers_of(self, queue: Queue) -> None:
        """Take down the receivers of an entity that was disabled (S-77)."""
        text = f"Messaging entity '{queue.name}' is currently disabled for receiving."
        for connection, handler in self._connections.handlers():
            if handler.role == "receiver" and handler.queue is queue:
                self.detach(connection, handler, EntityDisabled.condition, text)

    def links_to(self, gone: Collection[Queue]) -> None:
        """Take down every link to entities that are no more."""
        for connection, handler in self._connections.handlers():
            if handler.queue is not None and handler.queue in gone:
                text = f"The messaging entity '{handler.queue.name}' could not be found: it was deleted."
                self.detach(connection, handler, EntityNotFound.condition, text)

    def lapsed(self, connection: OpenConnection, text: str = "ExpiredToken: The token is expired.") -> None:
        """Take down every link of a connection for which no token holds any more (S-24)."""
        for handler in list(connection.handlers.values()):
            if handler.lapsed() is not None:
                self.detach(connection, handler, UNAUTHORIZED, text)


def _idle_text(handler: LinkHandler, limit: float) -> str:
    kind = "consumer" if handler.role == "receiver" else "publisher"
    minutes, seconds = divmod(int(limit), 60)
    shown = f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}"
    return f"The link '{handler.link.name}' is force detached. Code: {kind}. Details: IdleTimerExpired: Idle timeout: {shown}."
