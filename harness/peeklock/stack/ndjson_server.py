"""Newline-delimited JSON over sockets in one event loop: connections, requests, replies, pushes. Standard library only."""

from __future__ import annotations

import contextlib
import json
import selectors
import socket
from collections.abc import Callable
from typing import Any

OUTGOING_LIMIT = 64 * 1024 * 1024


class Refused(Exception):
    """A request that cannot be done; becomes the `error` of the reply."""

    def __init__(self, kind: str, **facts: Any) -> None:
        super().__init__(kind)
        self.reply = {"kind": kind, **facts}


class Later(Exception):
    """The reply comes when the event does."""


class Connection:
    """One client: buffers in both directions, what it subscribed to."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.incoming = b""
        self.outgoing = bytearray()
        self.prefixes: set[str] = set()


class NdjsonServer:
    """Serves connections that its owner hands it; operations are the methods `op_<name>` of `handlers`."""

    def __init__(
        self, selector: selectors.BaseSelector, handlers: list[object], on_close: Callable[[Connection], None]
    ) -> None:
        self.selector = selector
        self.handlers = handlers
        self.on_close = on_close
        self.connections: set[Connection] = set()

    def connect(self, sock: socket.socket) -> Connection:
        connection = Connection(sock)
        self.connections.add(connection)
        self.selector.register(sock, selectors.EVENT_READ, lambda mask: self._serve(connection, mask))
        return connection

    def _serve(self, connection: Connection, mask: int) -> None:
        if mask & selectors.EVENT_WRITE and connection in self.connections:
            self._flush(connection)
        if not mask & selectors.EVENT_READ or connection not in self.connections:
            return
        try:
            chunk = connection.sock.recv(1 << 20)
        except BlockingIOError:
            return
        except OSError:
            chunk = b""
        if not chunk:
            self._drop(connection)
            return
        *lines, connection.incoming = (connection.incoming + chunk).split(b"\n")
        for line in lines:
            self._handle(connection, json.loads(line))

    def _handle(self, connection: Connection, request: dict[str, Any]) -> None:
        number = request["id"]
        try:
            handler = next((found for on in self.handlers if (found := getattr(on, f"op_{request['op']}", None))), None)
            if handler is None:
                raise Refused("unknown_operation", op=request["op"])
            reply = {"id": number, "ok": True, **(handler(connection, request) or {})}
        except Later:
            return
        except Refused as refused:
            reply = {"id": number, "error": refused.reply}
        except Exception as error:  # noqa: BLE001  one bad request must not take the stack down
            reply = {"id": number, "error": {"kind": "internal", "text": f"{type(error).__name__}: {error}"}}
        self.send(connection, reply)

    def _drop(self, connection: Connection) -> None:
        self.connections.discard(connection)
        with contextlib.suppress(KeyError, ValueError):
            self.selector.unregister(connection.sock)
        connection.sock.close()
        self.on_close(connection)

    def send(self, connection: Connection, message: dict[str, Any]) -> None:
        if connection in self.connections:
            connection.outgoing += encode(message)
            self._flush(connection)

    def _flush(self, connection: Connection) -> None:
        try:
            while connection.outgoing:
                sent = connection.sock.send(connection.outgoing)
                del connection.outgoing[:sent]
        except BlockingIOError:
            pass
        except OSError:
            self._drop(connection)
            return
        if len(connection.outgoing) > OUTGOING_LIMIT:
            self._drop(connection)  # it stopped reading; keeping its lines would end in no memory for anyone
            return
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if connection.outgoing else 0)
        key = self.selector.get_key(connection.sock)
        if key.events != events:
            self.selector.modify(connection.sock, events, key.data)

    def push(self, child: str, message: dict[str, Any]) -> None:
        for connection in list(self.connections):
            if any(child.startswith(prefix) for prefix in connection.prefixes):
                self.send(connection, message)


def encode(message: dict[str, Any]) -> bytes:
    """One line."""
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"
