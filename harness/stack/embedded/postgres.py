"""A private Postgres for one stack: a copy of the golden cluster, a template database for each set of migrations, cheap clones."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.stack.embedded import golden
from harness.stack.embedded.admin import AdminConnection, PostgresError, literal
from harness.stack.embedded.tools import Progress, silent
from harness.stack.errors import StackError
from harness.stack.readiness import Watcher
from harness.stack.supervisor_client import SupervisorClient

NAME = "postgres"
_TITLE = "Postgres"
_TRIES = 5
_KEPT_TEMPLATES = 10
_LONGEST_MIGRATION = 600.0
_ROOM = 512 * 1024 * 1024
_SETTINGS = (
    # Nothing here outlives the stack, so nothing needs to survive a crash of the machine.
    "fsync=off", "synchronous_commit=off", "full_page_writes=off", "wal_level=minimal", "max_wal_senders=0",
    "shared_buffers=32MB", "jit=off", "autovacuum=off", "max_connections=200", "max_wal_size=256MB",
    # The password is 128 random bits: more rounds of hashing would protect nothing and cost 5 ms a connection.
    "scram_iterations=1",
    "timezone=UTC", "log_timezone=UTC", "log_line_prefix=%m [%p] %d ", "lc_messages=C",
    "logging_collector=off", "dynamic_shared_memory_type=mmap", "listen_addresses=127.0.0.1", "cluster_name=peeklock",
)  # fmt: skip


def data_home() -> Path:
    """Where data directories go: `$PEEKLOCK_DATA`, else memory (/dev/shm) when there is room, else the temporary folder.

    A busy disk makes a clone ten times slower than memory does.
    """
    named = os.environ.get("PEEKLOCK_DATA")
    if named:
        return Path(named)
    memory = Path("/dev/shm")  # noqa: S108  only made under a random name with mode 0700
    if memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free >= _ROOM:
        return memory
    return Path(tempfile.gettempdir())


_SEND_AWAY = """\
DO $$ BEGIN
  PERFORM pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = NAME;
  FOR look IN 1..200 LOOP
    PERFORM pg_stat_clear_snapshot();
    EXIT WHEN NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = NAME);
    PERFORM pg_sleep(0.001);
  END LOOP;
END $$"""


class PostgresServer:
    """A running server, started here or found through the supervisor's state. Thread-safe."""

    PROCESS = NAME
    """Its name at the supervisor."""

    def __init__(self, supervisor: SupervisorClient, state: Mapping[str, Any]) -> None:
        self._supervisor = supervisor
        self._state = dict(state)
        self.port: int = state["port"]
        self.password: str = state["password"]
        self.log_file = Path(state["log"])
        self._admin_lock = threading.Lock()
        self._let_go = False
        self._admin: AdminConnection | None = None
        self._template_lock = threading.Lock()

    @property
    def state(self) -> dict[str, Any]:
        """What another process needs to use this server; kept in the supervisor's memory only."""
        return dict(self._state)

    @staticmethod
    def plan(port: int, password: str) -> str:
        """The start of every URL, known before the server runs."""
        return f"postgresql://{golden.ROLE}:{password}@127.0.0.1:{port}/"

    def url(self, database: str) -> str:
        return self.plan(self.port, self.password) + database

    @classmethod
    def start(
        cls, supervisor: SupervisorClient, directory: Path, log_dir: Path, *, port: int, fixed: bool, password: str,
        progress: Progress = silent, environment: Mapping[str, str] | None = None, lasting: bool = False,
    ) -> PostgresServer:  # fmt: skip
        """Copy the golden cluster below `directory` (registered with the supervisor) and start it; returns when it answers.

        `fixed`: the port was asked for, so when it is taken that is an error; else another one is tried. `environment`: more
        variables for its process. `lasting`: what was committed survives the end of its processes, however they end.
        """
        source = golden.ensure(supervisor, progress)
        person = golden.Identity.find(supervisor)
        data, sockets = directory / "data", directory / "s"
        try:
            data.mkdir(mode=0o700)
            sockets.mkdir(mode=0o700)
        except OSError as error:
            raise StackError.unwritable(data, error) from error
        golden.copy(supervisor, source / "data", data)
        if person.drop_to is not None:
            directory.chmod(0o711)
            person.own(data)
            person.own(sockets)
        binary = str(person.binaries().bin / "postgres")
        log = log_dir / "postgres.log"
        for attempt in range(_TRIES):
            argv = [binary, "-D", str(data), "-k", str(sockets), "-p", str(port)]
            argv += [part for setting in _SETTINGS if _known(setting, person) for part in ("-c", setting)]
            argv += ["-c", "synchronous_commit=on"] if lasting else []
            watcher = Watcher(supervisor, NAME, title=_TITLE, log_file=log)
            try:
                supervisor.spawn(
                    NAME, argv, {"PATH": os.environ.get("PATH", os.defpath), "TZ": "UTC", **(environment or {})}, Path("/"),
                    log=str(log), layer=0, stop_signal=int(signal.SIGINT), grace=5.0, secrets=[password], **person.options,
                )  # fmt: skip
                watcher.until_line(
                    lambda line: "ready to accept connections" in line, "ready to accept connections", 30.0
                )
            except StackError:
                text = "\n".join(watcher.tail())
                if "No space left on device" in text:
                    raise StackError.full_disk("starting Postgres", data, shutil.disk_usage(directory).free) from None
                if "Address already in use" not in text:
                    raise
                if fixed or attempt == _TRIES - 1:
                    raise StackError.port_in_use(port, _TITLE) from None
                port = supervisor.reserve_ports(1)[0]
                continue
            finally:
                watcher.close()
            break
        state = {
            "port": port,
            "password": password,
            "sockets": str(sockets),
            "data": str(data),
            "log": str(log),
            "golden": str(source),
        }
        server = cls(supervisor, state)
        with server.admin() as connection:  # ready means that it answers, not that a port is open
            connection.execute(f"ALTER ROLE {golden.ROLE} PASSWORD {literal(password)}")
        return server

    def _connect(self, timeout: float = 60.0) -> AdminConnection:
        return AdminConnection(Path(self._state["sockets"]), self.port, golden.ROLE, timeout=timeout)

    @contextmanager
    def admin(self) -> Iterator[AdminConnection]:
        """The one administrative connection, for one thread at a time."""
        with self._admin_lock:
            if self._let_go:
                raise StackError("Postgres has been let go of", where=str(self.log_file))
            try:
                if self._admin is None or self._admin.closed:
                    self._admin = self._connect()
                yield self._admin
            except (OSError, PostgresError) as error:
                raise self._lost(error) from error

    def lost(self) -> StackError:
        """The error that tells of its end, with its last words."""
        return self._lost(ConnectionError("its process has ended"))

    def _lost(self, error: Exception) -> StackError:
        children = {c["name"]: c for c in self._supervisor.call("children", prefix=NAME)["children"]}
        if re.search(r"No space left|could not extend|could not write", str(error)):
            free = shutil.disk_usage(Path(self._state["data"]).parent).free
            return StackError.full_disk("working in Postgres", self._state["data"], free)
        child = children.get(NAME)
        if child is not None and child["code"] is None:
            return StackError("Postgres refused", actual=str(error).strip(), where=str(self.log_file))
        tail = [text for _, text in self._supervisor.call("tail", name=NAME)["lines"]] if child else []
        return StackError.dead_dependency(_TITLE, child["code"] if child else None, tail, self.log_file)

    def time(self) -> float:
        """What its clock shows, in seconds since 1970."""
        with self.admin() as connection:
            return float(connection.execute("SELECT extract(epoch FROM clock_timestamp())")[0][0] or 0)

    def forget_connections(self) -> None:
        """The server has been away: the next to ask connects anew."""
        with self._admin_lock:
            if self._admin is not None:
                self._admin.close()
                self._admin = None

    def clone(self, database: str, template: str) -> None:
        """Make `database` a fresh copy of `template`; whoever is connected to the old one is thrown out. About 20 ms."""
        with self.admin() as connection:
            self._drop(connection, database)
            connection.execute(f'CREATE DATABASE "{database}" TEMPLATE "{template}" STRATEGY=FILE_COPY')

    def drop(self, database: str) -> None:
        with self.admin() as connection:
            self._drop(connection, database)

    def _drop(self, connection: AdminConnection, database: str) -> None:
        """Drop a database, if it is there. FORCE alone looks every 100 ms whether the others have gone; this looks every one."""
        name = literal(database)
        if connection.execute(f"SELECT 1 FROM pg_database WHERE datname = {name}"):  # noqa: S608  our own name
            connection.execute(f'ALTER DATABASE "{database}" ALLOW_CONNECTIONS false')  # pools come back at once
            connection.execute(_SEND_AWAY.replace("NAME", name))
            connection.execute(f'DROP DATABASE "{database}" WITH (FORCE)')

    def template(
        self, migrations: Path | None, seeds: Sequence[Path], root: Path, log_dir: Path, progress: Progress = silent
    ) -> str:
        """The name of the template database for these migrations and seeds; made when no stack before has made it.

        Raises `StackError` with the last lines of a migration that fails.
        """
        if migrations is None and not seeds:
            return "template1"
        name = f"tpl_{digest(migrations, seeds)}"
        try:
            with self._template_lock, self._connect(timeout=_LONGEST_MIGRATION) as own:
                # Several processes can share a warm stack: the lock ends with this connection, however that happens.
                own.execute(f"SELECT pg_advisory_lock(hashtext({literal(name)}))")
                found = own.execute(f"SELECT oid FROM pg_database WHERE datname = {literal(name)}")  # noqa: S608  a digest
                if not found or not self._fetch(own, name, int(found[0][0] or 0)):
                    self._build(own, name, migrations, seeds, root, log_dir, progress)
                own.execute(f"COMMENT ON DATABASE {name} IS 'used {time.time():.0f}'")
        except (OSError, PostgresError) as error:
            raise self._lost(error) from error
        return name

    def _fetch(self, own: AdminConnection, name: str, oid: int) -> bool:
        """Make sure that the files of a known template are here; False when they are nowhere, and then it is known no more."""
        files = Path(self._state["data"]) / "base" / str(oid)
        kept = Path(self._state["golden"]) / "templates" / str(oid)
        if not files.exists() and kept.exists():
            # In one step: a clone that begins now must find all of the files or wait for the lock that we hold.
            arriving = files.with_name(f"{oid}.new")
            golden.copy(self._supervisor, kept, arriving)
            golden.Identity.find(self._supervisor).own(arriving)
            arriving.rename(files)
        if files.exists():
            return True
        own.execute(f"ALTER DATABASE {name} IS_TEMPLATE false")
        own.execute(f"DROP DATABASE {name}")
        return False

    def _build(
        self, own: AdminConnection, name: str, migrations: Path | None, seeds: Sequence[Path], root: Path, log_dir: Path,
        progress: Progress,
    ) -> None:  # fmt: skip
        new = f"{name}_new"
        own.execute(f"DROP DATABASE IF EXISTS {new} WITH (FORCE)")
        own.execute(f"CREATE DATABASE {new} TEMPLATE template1 STRATEGY=FILE_COPY")
        if migrations is not None:
            progress(f"migrating a template database ({migrations.name})")
            if (migrations / "alembic.ini").exists():
                self._alembic(new, migrations, root, log_dir)
            else:
                self._sql(new, sorted(migrations.glob("*.sql")), migrations, log_dir)
        if seeds:
            self._sql(new, seeds, seeds[0], log_dir)
        own.execute(f"ALTER DATABASE {new} RENAME TO {name}")
        # No connections: one that lingers would make every clone fail with "being accessed by other users".
        own.execute(f"ALTER DATABASE {name} WITH IS_TEMPLATE true ALLOW_CONNECTIONS false")

    def _alembic(self, database: str, folder: Path, root: Path, log_dir: Path) -> None:
        # -P: a folder named `alembic` beside alembic.ini (the usual layout) must not hide the package.
        argv = [sys.executable, "-P", "-m", "alembic", "-c", str(folder / "alembic.ini"), "upgrade", "head"]
        path = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH", "")]))
        env = {k: v for k, v in os.environ.items() if not k.startswith("PEEKLOCK_")}
        self._migrate(argv, {**env, "DATABASE_URL": self.url(database), "PYTHONPATH": path}, folder, folder, log_dir)

    def _sql(self, database: str, files: Sequence[Path], where: Path, log_dir: Path) -> None:
        """By psql, because dumps hold `COPY … FROM stdin` and backslash commands."""
        psql = golden.Identity({}).binaries().bin / "psql"
        argv = [str(psql), "-X", "-q", "-v", "ON_ERROR_STOP=1", *(part for file in files for part in ("-f", str(file)))]
        env = {
            "PATH": os.environ.get("PATH", os.defpath), "PGHOST": "127.0.0.1", "PGPORT": str(self.port), "PGUSER": golden.ROLE,
            "PGPASSWORD": self.password, "PGDATABASE": database, "PGCLIENTENCODING": "UTF8", "LC_ALL": "C",
        }  # fmt: skip
        if files:
            self._migrate(argv, env, where if where.is_dir() else where.parent, where, log_dir)

    def _migrate(self, argv: Sequence[str], env: Mapping[str, str], cwd: Path, where: Path, log_dir: Path) -> None:
        name = f"migrate-{secrets.token_hex(4)}"
        code, log = self._supervisor.run(
            name, argv, env, cwd, secrets=[self.password], log=str(log_dir / "migrations.log")
        )
        if code != 0:
            raise StackError.migration_failed(where, code, log[-15:], [self.password])

    def close(self) -> None:
        with self._admin_lock:
            self._let_go = True
            if self._admin is not None:
                self._admin.close()
                self._admin = None

    def keep_templates(self) -> None:
        """Stop the server and make its cluster the golden one when it has templates that the golden one lacks.

        To be called when the stack ends in order: the next stack then starts with its databases migrated.
        """
        with self.admin() as connection:
            rows = connection.execute(
                "SELECT datname, oid, shobj_description(oid, 'pg_database') FROM pg_database WHERE datname NOT IN "
                "('postgres', 'template0', 'template1')"
            )
            templates = sorted(
                (row for row in rows if re.fullmatch(r"tpl_[0-9a-f]+", row[0] or "")), key=lambda row: row[2] or ""
            )
            kept = {str(row[0]): int(row[1] or 0) for row in templates[-_KEPT_TEMPLATES:]}
            if set(kept) <= golden.names():
                return
            for name, *_ in rows:
                if name not in kept:
                    connection.execute(f'ALTER DATABASE "{name}" IS_TEMPLATE false')
                    connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
            connection.execute(f"ALTER ROLE {golden.ROLE} PASSWORD NULL")
        self.close()
        self._supervisor.call("stop", name=NAME)
        golden.publish(self._supervisor, Path(self._state["data"]), Path(self._state["golden"]), kept)


def digest(migrations: Path | None, seeds: Sequence[Path]) -> str:
    """A name for the outcome of these files: their relative names and contents."""
    found = hashlib.sha256()
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


def _known(setting: str, person: golden.Identity) -> bool:
    return not setting.startswith("scram_iterations") or person.binaries().major >= 16
