"""Postgres: a template database for each set of migrations, and a cheap clone of one for each environment."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from peeklock.scenario.postgres import Postgres
from peeklock.stack.errors import StackError, full_disk
from peeklock.stack.loopback import undiverted
from peeklock.stack.progress import Progress, silent
from peeklock.stack.servers.errors import AdministrationError, extension_missing, migration_failed
from peeklock.stack.servers.server import Server
from peeklock.supervision.client import SupervisorClient

if TYPE_CHECKING:
    from peeklock.stack.servers.admin import Administration

ROLE = "peeklock"
"""The superuser of every server."""
_LONGEST_MIGRATION = 600.0
_FIRST_WITH_STRATEGIES = 150_000
_CONNECTIONS = """\
SELECT DISTINCT substr(a.application_name, %s), a.datname, s.system_identifier::text, a.datid::text
FROM pg_stat_activity a, pg_control_system() s WHERE starts_with(a.application_name, %s) AND a.datname IS NOT NULL"""
_TABLES = """\
SELECT CASE schemaname WHEN 'public' THEN name ELSE schemaname || '.' || name END
FROM (SELECT schemaname, tablename AS name FROM pg_tables UNION ALL SELECT schemaname, viewname FROM pg_views) AS each
WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"""
_SEND_AWAY = """\
DO $$ BEGIN
  PERFORM pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = {name};
  FOR look IN 1..200 LOOP
    PERFORM pg_stat_clear_snapshot();
    EXIT WHEN NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = {name});
    PERFORM pg_sleep(0.001);
  END LOOP;
END $$"""


class PostgresServer(Server):
    """A running server. Thread-safe."""

    PROCESS = "postgres"
    TITLE = "Postgres"
    READY = "ready to accept connections"

    def __init__(self, supervisor: SupervisorClient, state: Mapping[str, Any]) -> None:
        super().__init__(supervisor, state)
        self.port: int = state["port"]
        self.password: str = state["password"]
        self._admin_lock = threading.Lock()
        self._let_go = False
        self._admin: Administration | None = None
        self._template_lock = threading.Lock()

    @staticmethod
    def plan(port: int, password: str) -> str:
        """The start of every URL, known before the server runs."""
        return f"postgresql://{ROLE}:{password}@127.0.0.1:{port}/"

    def url(self, database: str) -> str:
        return self.plan(self.port, self.password) + database

    def _host(self) -> str:
        """An address, or the folder of a socket."""
        return "127.0.0.1"

    def _connect(self, database: str = "postgres") -> Administration:
        # 65 ms, spent while the other servers start
        from peeklock.stack.servers.admin import Administration

        return self._open(Administration, database)

    def _open(self, kind: type[Administration], database: str) -> Administration:
        return kind.begin(self._host(), self.port, ROLE, self.password, database)

    @contextmanager
    def admin(self) -> Iterator[Administration]:
        """The one administrative connection, for one thread at a time."""
        with self._admin_lock:
            if self._let_go:
                raise StackError("Postgres has been let go of", where=str(self.log_file))
            try:
                if self._admin is None or self._admin.closed:
                    self._admin = self._connect()
                with self._admin.patiently():
                    yield self._admin
            except AdministrationError as error:
                raise self._lost(error) from error

    def _lost(self, error: Exception) -> StackError:
        if re.search(r"No space left|could not extend|could not write", str(error)):
            return full_disk("working in Postgres", *self._room())
        return super()._lost(error)

    def _refused(self, error: Exception) -> StackError:
        return StackError("Postgres refused", actual=str(error).strip(), where=str(self.log_file))

    def _room(self) -> tuple[str, int | None]:
        """Where it keeps its data, and how many bytes are free there, when that can be known."""
        return "the data of Postgres", None

    def time(self) -> float:
        """What its clock shows, in seconds since 1970."""
        with self.admin() as connection:
            (now,) = connection.execute("SELECT extract(epoch FROM clock_timestamp())").fetchone() or (0,)
            return float(now)

    def connections(self, prefix: str) -> list[tuple[str, str, tuple[str, str]]]:
        """Connections whose name begins with `prefix`: the rest of it, the database, and what identifies that one anywhere."""
        with self.admin() as connection:
            rows = connection.execute(_CONNECTIONS, [len(prefix) + 1, prefix]).fetchall()
        return [(process, database, (server, oid)) for process, database, server, oid in rows]

    def tables(self, database: str) -> set[str]:
        """Tables and views of a database, with their schema where that is not `public`."""
        try:
            with self._connect(database) as own, own.patiently():
                return {name for (name,) in own.execute(_TABLES).fetchall()}
        except AdministrationError as error:
            raise self._lost(error) from error

    def forget_connections(self) -> None:
        with self._admin_lock:
            if self._admin is not None:
                self._admin.close()
                self._admin = None

    def clone(self, database: str, template: str) -> None:
        """Make `database` a fresh copy of `template`; whoever is connected to the old one is thrown out. About 20 ms."""
        with self.admin() as connection:
            self._drop(connection, database)
            self._create(connection, database, template)

    def _template_name(self, digest: str) -> str:
        return f"tpl_{digest}"

    def _create(self, connection: Administration, database: str, template: str) -> None:
        if connection.info.server_version >= _FIRST_WITH_STRATEGIES:
            connection.run("CREATE DATABASE {} TEMPLATE {} STRATEGY=FILE_COPY", database, template)
        else:
            connection.run("CREATE DATABASE {} TEMPLATE {}", database, template)

    def drop(self, database: str) -> None:
        with self.admin() as connection:
            self._drop(connection, database)

    def _drop(self, connection: Administration, database: str) -> None:
        """Drop a database, if it is there. FORCE alone looks every 100 ms whether the others have gone; this looks every one."""
        if connection.execute("SELECT FROM pg_database WHERE datname = %s", [database]).fetchone() is not None:
            # Closed first: pools come back at once.
            connection.run("ALTER DATABASE {} ALLOW_CONNECTIONS false", database)
            connection.run(_SEND_AWAY, name=database)
            connection.run("DROP DATABASE {} WITH (FORCE)", database)

    def template(self, wanted: Postgres, root: Path, log_dir: Path, progress: Progress = silent) -> str:
        """The name of the template database with what a file wants in it; made when no stack before has made it.

        Raises `StackError` with the last lines of a migration that fails, and for an extension that the server has not.
        """
        if wanted.migrations is None and not wanted.seed and not wanted.extensions:
            return "template1"
        name = self._template_name(digest(wanted.migrations, wanted.seed, wanted.extensions))
        try:
            with self._template_lock, self._connect() as own, own.patiently(_LONGEST_MIGRATION):
                # Several processes can share a warm stack: the lock ends with this connection, however that happens.
                own.execute("SELECT pg_advisory_lock(hashtext(%s))", [name])
                found = own.execute("SELECT oid FROM pg_database WHERE datname = %s", [name]).fetchone()
                if found is None or not self._present(own, name, int(found[0])):
                    self._build(own, name, wanted, root, log_dir, progress)
                own.run("COMMENT ON DATABASE {} IS {used}", name, used=f"used {time.time():.0f}")
        except AdministrationError as error:
            raise self._lost(error) from error
        return name

    def _present(self, own: Administration, name: str, oid: int) -> bool:  # noqa: ARG002  for those that keep files elsewhere
        """Tell whether a template that the server lists can be cloned."""
        return True

    def _build(
        self, own: Administration, name: str, wanted: Postgres, root: Path, log_dir: Path, progress: Progress
    ) -> None:
        new, migrations, seeds = f"{name}_new", wanted.migrations, wanted.seed
        own.run("DROP DATABASE IF EXISTS {} WITH (FORCE)", new)
        self._create(own, new, "template1")
        self._extend(new, wanted.extensions)
        if migrations is not None:
            progress(f"migrating a template database ({migrations.name})")
            if (migrations / "alembic.ini").exists():
                self._alembic(new, migrations, root, log_dir)
            else:
                self._sql(new, sorted(migrations.glob("*.sql")), migrations, log_dir)
        if seeds:
            self._sql(new, seeds, seeds[0], log_dir)
        own.run("ALTER DATABASE {} RENAME TO {}", new, name)
        # No connections: one that lingers would make every clone fail with "being accessed by other users".
        own.run("ALTER DATABASE {} WITH IS_TEMPLATE true ALLOW_CONNECTIONS false", name)

    def _extend(self, database: str, extensions: Sequence[str]) -> None:
        if not extensions:
            return
        with self._connect(database) as inside, inside.patiently():
            there = {name for (name,) in inside.execute("SELECT name FROM pg_available_extensions").fetchall()}
            if missing := [name for name in extensions if name not in there]:
                (version,) = inside.execute("SHOW server_version").fetchone() or ("",)
                raise extension_missing(missing, str(version))
            for name in extensions:
                inside.run("CREATE EXTENSION IF NOT EXISTS {} CASCADE", name)

    def _alembic(self, database: str, folder: Path, root: Path, log_dir: Path) -> None:
        # -P: a folder named `alembic` beside alembic.ini (the usual layout) must not hide the package.
        argv = [sys.executable, "-P", "-m", "alembic", "-c", str(folder / "alembic.ini"), "upgrade", "head"]
        path = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH", "")]))
        env = {k: v for k, v in undiverted(os.environ).items() if not k.startswith("PEEKLOCK_")}
        self._migrate(argv, {**env, "DATABASE_URL": self.url(database), "PYTHONPATH": path}, folder, folder, log_dir)

    def _sql(self, database: str, files: Sequence[Path], where: Path, log_dir: Path) -> None:
        """By psql, because dumps hold `COPY … FROM stdin` and backslash commands."""
        parts = urlsplit(self.url(database))
        argv = [
            self._state["psql"],
            "-X",
            "-q",
            "-v",
            "ON_ERROR_STOP=1",
            *(part for file in files for part in ("-f", str(file))),
        ]
        env = {
            "PATH": os.environ.get("PATH", os.defpath), "PGHOST": parts.hostname or "", "PGPORT": str(self.port),
            "PGUSER": unquote(parts.username or ROLE), "PGPASSWORD": self.password, "PGDATABASE": parts.path[1:], "PGCLIENTENCODING": "UTF8", "LC_ALL": "C",
        }  # fmt: skip
        if files:
            self._migrate(argv, env, where if where.is_dir() else where.parent, where, log_dir)

    def _migrate(self, argv: Sequence[str], env: Mapping[str, str], cwd: Path, where: Path, log_dir: Path) -> None:
        name = f"migrate-{secrets.token_hex(4)}"
        code, log = self._supervisor.run(
            name, argv, env, cwd, secrets=[self.password], log=str(log_dir / "migrations.log")
        )
        if code != 0:
            raise migration_failed(where, code, log[-15:], [self.password])

    def close(self) -> None:
        with self._admin_lock:
            self._let_go = True
            if self._admin is not None:
                self._admin.close()
                self._admin = None


def digest(migrations: Path | None, seeds: Sequence[Path], extensions: Sequence[str] = ()) -> str:
    """A name for the outcome of these files, their relative names and contents, after these extensions."""
    found = hashlib.sha256("".join(f"extension {name}\0" for name in extensions).encode())
    files: list[tuple[str, Path]] = []
    if migrations is not None:
        for folder, names, leaves in os.walk(migrations):
            names[:] = sorted(n for n in names if not n.startswith(".") and n not in ("__pycache__", "node_modules"))
            files += [
                (str(Path(folder, leaf).relative_to(migrations)), Path(folder, leaf))
                for leaf in sorted(leaves)
                if not leaf.startswith(".") and not leaf.endswith(".pyc")
            ]
    files += [(f"seed {number}", seed) for number, seed in enumerate(seeds)]
    for name, file in files:
        content = file.read_bytes()
        found.update(f"{name}\0{len(content)}\0".encode())
        found.update(content)
    return found.hexdigest()[:20]
