"""The backend's own connection to Postgres, as the superuser."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from peeklock.stack.servers.errors import AdministrationError

_PATIENCE = 60.0
"""Seconds for one piece of administration: a server that is held still never answers."""
_OWN = f"sslmode=disable gssencmode=disable options='' client_encoding=UTF8 target_session_attrs=any connect_timeout={_PATIENCE:g}"
"""Said here, so that no variable of the caller's own libpq decides it."""


class Administration(psycopg.Connection[tuple[Any, ...]]):
    """A connection to the database `postgres`, each statement a transaction of its own."""

    @classmethod
    def begin(cls, host: str, port: int, role: str, password: str, database: str = "postgres") -> Administration:
        """Connect. Raises `AdministrationError`."""
        try:
            return cls.connect(
                _OWN, host=host, hostaddr="" if host.startswith("/") else host, port=port, user=role, password=password,
                dbname=database, autocommit=True, prepare_threshold=None,
            )  # fmt: skip
        except psycopg.Error as error:
            raise AdministrationError(str(error)) from error

    @classmethod
    def at(cls, url: str, password: str) -> Administration:
        """Connect to a server that is somebody else's, with TLS as the URL or libpq says. Raises `AdministrationError`."""
        try:
            return cls.connect(
                url, password=password or None, connect_timeout=int(_PATIENCE), autocommit=True, prepare_threshold=None
            )
        except psycopg.Error as error:
            raise AdministrationError(str(error)) from error

    @contextlib.contextmanager
    def patiently(self, seconds: float = _PATIENCE) -> Iterator[Administration]:
        """Break the connection when what is done inside takes longer. What fails inside is an `AdministrationError`."""

        def hang_up() -> None:
            with contextlib.suppress(psycopg.Error, OSError), socket.socket(fileno=self.fileno()) as sock:
                sock.shutdown(socket.SHUT_RDWR)
                sock.detach()  # the file descriptor is psycopg's

        timer = threading.Timer(seconds, hang_up)
        timer.start()
        try:
            yield self
        except psycopg.Error as error:
            raise AdministrationError(str(error)) from error
        finally:
            timer.cancel()

    def run(self, text: LiteralString, *names: str, **literals: str) -> None:
        """Execute a statement with identifiers in place of `{}` and string constants in place of `{name}`."""
        constants = {name: sql.Literal(value) for name, value in literals.items()}
        self.execute(sql.SQL(text).format(*map(sql.Identifier, names), **constants))
