"""The administrative connection to a Postgres of a stack: simple queries.

A few lines of the wire protocol instead of psycopg, because importing that costs 0.15 s of processor time just when everything
else starts. Only for the backend's own statements; whatever scenarios and services do goes through real drivers.
"""

from __future__ import annotations

import socket
import struct
from pathlib import Path
from typing import Self

Address = Path | tuple[str, int]
"""A unix socket, or a host and a port."""
Row = tuple[str | None, ...]

_ACCEPTED, _SASL, _SASL_CONTINUE, _SASL_FINAL = 0, 10, 11, 12


class PostgresError(Exception):
    """The server refused a statement; its message."""


class AdminConnection:
    """As the superuser. For one thread at a time."""

    def __init__(
        self, address: Address, role: str, password: str, database: str = "postgres", timeout: float = 60.0
    ) -> None:
        """Raises `OSError` when nobody listens, `PostgresError` when the server refuses."""
        self._password = password
        self._socket = socket.socket(socket.AF_UNIX if isinstance(address, Path) else socket.AF_INET)
        self._socket.settimeout(timeout)
        self.closed = False
        try:
            self._socket.connect(str(address) if isinstance(address, Path) else address)
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
            elif kind == b"R":
                self._authenticate(struct.unpack("!I", body[:4])[0], body[4:])
            elif kind == b"Z":
                if error is not None:
                    raise PostgresError(error)
                return rows

    def _authenticate(self, wanted: int, body: bytes) -> None:
        if wanted == _ACCEPTED:
            return
        from peeklock.stack.servers.scram import MECHANISM, Scram, ScramError

        try:
            if wanted == _SASL and MECHANISM in body.split(b"\0"):
                self._scram = Scram(self._password)
                first = self._scram.first()
                answer = MECHANISM + b"\0" + struct.pack("!I", len(first)) + first
            elif wanted == _SASL_CONTINUE:
                answer = self._scram.final(body)
            elif wanted == _SASL_FINAL:
                self._scram.verify(body)
                return
            else:
                raise PostgresError(f"it asks for a login of the kind {wanted}; SCRAM-SHA-256 is what this side knows")
        except ScramError as error:
            raise PostgresError(str(error)) from error
        self._socket.sendall(b"p" + struct.pack("!I", 4 + len(answer)) + answer)

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
