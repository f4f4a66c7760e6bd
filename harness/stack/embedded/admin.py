"""The administrative connection to a private Postgres: simple queries over its own socket.

Thirty lines of the wire protocol instead of psycopg, because importing that costs 0.15 s of processor time just when everything
else starts. Only for the backend's own statements; whatever scenarios and services do goes through real drivers.
"""

from __future__ import annotations

import socket
import struct
from pathlib import Path
from typing import Self

Row = tuple[str | None, ...]


class PostgresError(Exception):
    """The server refused a statement; its message."""


class AdminConnection:
    """As the cluster's role, which is trusted on its socket. For one thread at a time."""

    def __init__(self, sockets: Path, port: int, role: str, database: str = "postgres", timeout: float = 60.0) -> None:
        """Raises `OSError` when nobody listens, `PostgresError` when the server refuses."""
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(timeout)
        self.closed = False
        try:
            self._socket.connect(str(sockets / f".s.PGSQL.{port}"))
            self._stream = self._socket.makefile("rb")
            parameters = f"user\0{role}\0database\0{database}\0\0".encode()
            self._socket.sendall(struct.pack("!II", 8 + len(parameters), 196608) + parameters)
            self._answer()
        except BaseException:
            self.close()
            raise

    def execute(self, statement: str) -> list[Row]:
        """The rows, every value as text. Raises `PostgresError`, or `OSError` when the connection is lost."""
        data = statement.encode() + b"\0"
        try:
            self._socket.sendall(b"Q" + struct.pack("!I", 4 + len(data)) + data)
            return self._answer()
        except OSError:
            self.close()
            raise

    def _answer(self) -> list[Row]:
        rows: list[Row] = []
        error: str | None = None
        while True:
            kind, body = self._message()
            if kind == b"D":
                rows.append(_row(body))
            elif kind == b"E":
                fields = {part[:1]: part[1:].decode("utf-8", "replace") for part in body.split(b"\0") if part}
                error = f"{fields.get(b'S', '')}: {fields.get(b'M', '')}"
                if fields.get(b"S") in ("FATAL", "PANIC"):  # the server hangs up after it
                    self.close()
                    raise PostgresError(error)
            elif kind == b"R" and body[:4] != b"\0\0\0\0":
                raise PostgresError("it asks for a password on its own socket")
            elif kind == b"Z":
                if error is not None:
                    raise PostgresError(error)
                return rows

    def _message(self) -> tuple[bytes, bytes]:
        head = self._stream.read(5)
        if len(head) < 5:
            raise ConnectionResetError("Postgres closed the connection")
        return head[:1], self._stream.read(struct.unpack("!I", head[1:])[0] - 4)

    def close(self) -> None:
        self.closed = True
        if hasattr(self, "_stream"):
            self._stream.close()
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _row(body: bytes) -> Row:
    values: list[str | None] = []
    at = 2
    for _ in range(struct.unpack("!H", body[:2])[0]):
        (length,) = struct.unpack("!i", body[at : at + 4])
        at += 4
        values.append(None if length < 0 else body[at : at + length].decode())
        at += max(length, 0)
    return tuple(values)


def literal(text: str) -> str:
    """A string constant."""
    return "'" + text.replace("'", "''") + "'"
