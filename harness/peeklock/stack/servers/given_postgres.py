"""A Postgres that runs elsewhere, by its URL: databases with a prefix of this run's own, removed in the end."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

from peeklock.stack.errors import StackError
from peeklock.stack.progress import Progress, silent
from peeklock.stack.servers.made import PREFIX, Made, new_prefix, remove_left
from peeklock.stack.servers.postgres import PostgresServer
from peeklock.supervision.client import SupervisorClient

if TYPE_CHECKING:
    from peeklock.stack.servers.admin import Administration

_OURS = re.compile(rf"{PREFIX}[0-9a-f]{{8}}_(env_\d+|tpl_[0-9a-f]+(_new)?)")


def url_of(named: str) -> str:
    """Return the whole URL: that of the variable `named`, or `named` itself. Raises `StackError`."""
    if "://" in named:
        return named
    if found := os.environ.get(named):
        return found
    raise StackError(
        f"the environment variable {named} is not set",
        expected="the URL of a Postgres, as `stack.postgres.url` says",
        fix=f"export {named}=postgresql://USER:PASSWORD@HOST:5432/postgres",
    )


class GivenPostgres(PostgresServer):
    """One that is somebody else's: nothing of it is started or ended, and only databases of this run are touched."""

    TITLE = "the Postgres at `url`"

    def __init__(self, supervisor: SupervisorClient, state: Mapping[str, Any]) -> None:
        super().__init__(supervisor, state)
        self._prefix: str = state["prefix"]
        self._made: Made | None = None

    @classmethod
    def begin(
        cls, supervisor: SupervisorClient, log_dir: Path, named: str, psql: str, progress: Progress = silent
    ) -> GivenPostgres:
        """Connect, remove what runs that were killed have left, and return it. Raises `StackError`."""
        url = url_of(named)
        parts = urlsplit(url)
        password = unquote(parts.password or "") or os.environ.get("PGPASSWORD", "")
        state = {
            "url": url, "port": parts.port or 5432, "password": password, "prefix": new_prefix(), "psql": psql,
            "log": str(log_dir / "postgres.log"),
        }  # fmt: skip
        server = cls(supervisor, state)
        where = f"postgres {parts.username}@{parts.hostname}:{parts.port or 5432}"
        with server.admin() as connection:
            (version,) = connection.execute("SHOW server_version").fetchone() or ("",)
            left = remove_left(where, lambda name: server._remove_left(connection, name))
        progress(f"Postgres {version} at {parts.hostname}:{parts.port or 5432} stands for `url`")
        if left:
            progress(f"removed {left} databases that a run which was killed had left there")
        server._made = Made.begin(where)
        return server

    def url(self, database: str) -> str:
        parts = urlsplit(str(self._state["url"]))
        password = f":{quote(self.password, safe='')}" if self.password else ""
        user = f"{quote(unquote(parts.username), safe='')}{password}@" if parts.username else ""
        place = f"{user}{parts.hostname}:{self.port}"
        return parts._replace(scheme="postgresql", netloc=place, path=f"/{self._own(database)}").geturl()

    def _own(self, name: str) -> str:
        return name if name == "template1" or _OURS.fullmatch(name) else f"{self._prefix}_{name}"

    def _open(self, kind: type[Administration], database: str) -> Administration:
        parts = urlsplit(str(self._state["url"]))
        place = parts.path or "/postgres" if database == "postgres" else f"/{self._own(database)}"
        return kind.at(parts._replace(path=place).geturl(), self.password)

    def _create(self, connection: Administration, database: str, template: str) -> None:
        name = self._own(database)
        if self._made is not None:
            self._made.note(name)
        connection.run("CREATE DATABASE {} TEMPLATE {}", name, self._own(template))

    def clone(self, database: str, template: str) -> None:
        with self.admin() as connection:
            self._drop(connection, self._own(database))
            self._create(connection, database, template)

    def drop(self, database: str) -> None:
        super().drop(self._own(database))

    def _template_name(self, digest: str) -> str:
        return self._own(super()._template_name(digest))

    def _remove_left(self, connection: Administration, name: str) -> None:
        self._remove(connection, name)
        if name.endswith("_new"):  # a template is renamed when it is whole
            self._remove(connection, name.removesuffix("_new"))

    def _remove(self, connection: Administration, name: str) -> None:
        if _OURS.fullmatch(name):  # never anything else, whatever a file says
            if connection.execute("SELECT FROM pg_database WHERE datname = %s", [name]).fetchone() is not None:
                connection.run("ALTER DATABASE {} IS_TEMPLATE false", name)
            self._drop(connection, name)

    def tidy(self) -> None:
        """Remove everything that this run has made."""
        with self.admin() as connection:
            found = connection.execute(
                "SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [f"{self._prefix}_"]
            )
            for (name,) in found.fetchall():
                self._remove(connection, name)
        if self._made is not None:
            self._made.done()

    def _lost(self, error: Exception) -> StackError:
        return StackError(
            f"{self.TITLE} does not do what it was asked",
            actual=str(error).strip(),
            fix="see that it can be reached, and that its role may create databases and extensions",
            secrets=[self.password] if self.password else [],
        )
