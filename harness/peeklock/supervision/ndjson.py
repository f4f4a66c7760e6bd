"""Requests and replies as lines of JSON over stream sockets, in one thread. Standard library only.

`{"id", "op", ...}` is answered by `{"id", "ok": true, ...}` or `{"id", "error": {"kind", ...}}`; what happens to a subject that
a connection has subscribed to is pushed to it as `{"push", ...}`. A line that is no request is answered with `"id": null`.
"""

from __future__ import annotations

import contextlib
import json
import selectors
import socket
from collections.abc import Callable
from typing import Any

LONGEST_REQUEST = 64 << 20
"""Bytes of one line; a longer one is refused."""
UNREAD_PUSHES = 16 << 20
"""Bytes that wait for a client which does not read; further pushes of lines to it are dropped and counted."""
UNREAD = 256 << 20
"""Bytes at which such a client is hung up on."""


class Refused(Exception):
    """A request that cannot be done; becomes the `error` of the reply."""

    def __init__(self, kind: str, **facts: Any) -> None:
        super().__init__(kind)
        self.reply = {"kind": kind, **facts}


class Later(Exception):
    """The reply comes when the event does."""


class Connection:
    """One client: what has come and not been read, what waits to go out, what it subscribed to."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.prefixes: set[str] = set()
        self.outgoing = bytearray()
        self.dropped: dict[str, int] = {}
        """Lines that it was not sent, by subject."""
        self._incoming = bytearray()
        self._skipping = False

    def lines(self, chunk: bytes) -> list[bytes | None]:
        """Return the lines that are complete with this chunk; None for each that was too long."""
        found: list[bytes | None] = []
        *whole, rest = chunk.split(b"\n")
        for piece in whole:
            self._incoming += piece
            found.append(None if self._skipping else bytes(self._incoming))
            self._incoming.clear()
            self._skipping = False
        self._incoming += rest
        if len(self._incoming) > LONGEST_REQUEST:
            self._incoming.clear()
            self._skipping = True
        return found


class NdjsonServer:
    """Serves connections that its owner hands it; operations are the methods `op_<name>` of `handlers`, and its own."""

    def __init__(
        self, selector: selectors.BaseSelector, handlers: list[object], on_close: Callable[[Connection], None]
    ) -> None:
        self._selector = selector
        self._handlers = [*handlers, self]
        self._on_close = on_close
        self._connections: set[Connection] = set()

    def add(self, handler: object) -> None:
        """Let one more object do operations."""
        self._handlers.append(handler)

    def connect(self, sock: socket.socket) -> Connection:
        """Serve a client from now on."""
        connection = Connection(sock)
        self._connections.add(connection)
        self._selector.register(sock, selectors.EVENT_READ, lambda mask: self._serve(connection, mask))
        return connection

    def op_subscribe(self, connection: Connection, request: dict[str, Any]) -> None:
        """Push to this connection what happens to subjects whose names begin with `prefix`."""
        connection.prefixes.add(request["prefix"])

    def op_unsubscribe(self, connection: Connection, request: dict[str, Any]) -> None:
        connection.prefixes.discard(request["prefix"])

    def send(self, connection: Connection, message: dict[str, Any]) -> None:
        """Send a reply, or nothing when the client has gone."""
        if connection in self._connections:
            connection.outgoing += encode(message)
            self._flush(connection)

    def push(self, subject: str, message: dict[str, Any], lines: int = 0) -> None:
        """Send what happened to a subject to whoever subscribed to it.

        `lines`: how many lines the message holds that a client may do without when it reads slower than they come; it is told how
        many with the next push: `dropped`.
        """
        for connection in list(self._connections):
            if not any(subject.startswith(prefix) for prefix in connection.prefixes):
                continue
            if lines and len(connection.outgoing) > UNREAD_PUSHES:
                connection.dropped[subject] = connection.dropped.get(subject, 0) + lines
                continue
            dropped = connection.dropped.pop(subject, 0)
            self.send(connection, {**message, "dropped": dropped} if dropped else message)

    def _serve(self, connection: Connection, mask: int) -> None:
        if mask & selectors.EVENT_WRITE and connection in self._connections:
            self._flush(connection)
        if not mask & selectors.EVENT_READ or connection not in self._connections:
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
        for line in connection.lines(chunk):
            reply = self._reply(connection, line)
            if reply is not None:
                self.send(connection, reply)

    def _reply(self, connection: Connection, line: bytes | None) -> dict[str, Any] | None:
        """Do what a line asks; None when the answer comes later. Whatever the line is, the server goes on."""
        number = None
        try:
            if line is None:
                raise Refused("too_long", limit=LONGEST_REQUEST)
            request = json.loads(line)
            if not isinstance(request, dict):
                raise Refused("no_request", expected="an object with `id` and `op`")
            number = request.get("id")
            name = f"op_{request.get('op')}"
            handler = next((found for on in self._handlers if (found := getattr(on, name, None))), None)
            if handler is None:
                raise Refused("unknown_operation", op=request.get("op"))
            return {"id": number, "ok": True, **(handler(connection, request) or {})}
        except Later:
            return None
        except Refused as refused:
            return {"id": number, "error": refused.reply}
        except Exception as error:  # noqa: BLE001  one bad request must not take everything below down with it
            return {"id": number, "error": {"kind": "bad_request", "text": f"{type(error).__name__}: {error}"}}

    def _drop(self, connection: Connection) -> None:
        self._connections.discard(connection)
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(connection.sock)
        connection.sock.close()
        self._on_close(connection)

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
        if len(connection.outgoing) > UNREAD:
            self._drop(connection)  # it stopped reading; keeping its replies would end in no memory for anyone
            return
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if connection.outgoing else 0)
        key = self._selector.get_key(connection.sock)
        if key.events != events:
            self._selector.modify(connection.sock, events, key.data)


def encode(message: dict[str, Any]) -> bytes:
    """One line: UTF-8, or escaped where a text holds bytes that are none, as file names and variables may."""
    try:
        return json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
    except UnicodeEncodeError:
        return json.dumps(message, separators=(",", ":")).encode() + b"\n"
