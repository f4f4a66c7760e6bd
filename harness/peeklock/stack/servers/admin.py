"""The backend's own connection to Postgres, as the superuser."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any, LiteralString

import psycopg
from psycopg import sql

PATIENCE = 60.0
"""Seconds for one piece of administration: a server that is held still never answers."""
_OWN = f"sslmode=disable gssencmode=disable options='' client_encoding=UTF8 target_session_attrs=any connect_timeout={PATIENCE:g}"
"""Said here, so that no variable of the caller's own libpq decides it."""
Connection = psycopg.Connection[tuple[Any, ...]]


def connect(host: str, port: int, role: str, password: str) -> Connection:
    """Connect to the database `postgres`, each statement a transaction of its own. Raises `psycopg.Error`."""
    return psycopg.connect(
        _OWN, host=host, hostaddr="" if host.startswith("/") else host, port=port, user=role, password=password,
        dbname="postgres", autocommit=True, prepare_threshold=None,
    )  # fmt: skip


@contextlib.contextmanager
def patiently(connection: Connection, seconds: float = PATIENCE) -> Iterator[Connection]:
    """Break the connection when what is done inside takes longer: it then raises `psycopg.OperationalError`."""

    def hang_up() -> None:
        with contextlib.suppress(psycopg.Error, OSError), socket.socket(fileno=connection.fileno()) as sock:
            sock.shutdown(socket.SHUT_RDWR)
            sock.detach()  # the file descriptor is psycopg's

    timer = threading.Timer(seconds, hang_up)
    timer.start()
    try:
        yield connection
    finally:
        timer.cancel()


def statement(text: LiteralString, *names: str, **literals: str) -> sql.Composed:
    """A statement with identifiers in place of `{}` and string constants in place of `{name}`."""
    constants = {name: sql.Literal(value) for name, value in literals.items()}
    return sql.SQL(text).format(*map(sql.Identifier, names), **constants)
