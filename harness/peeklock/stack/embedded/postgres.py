"""A private Postgres for one stack: a copy of the golden cluster, whose templates are kept for the next one."""

from __future__ import annotations

import os
import re
import shutil
import signal
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from peeklock.errors import PeeklockError
from peeklock.stack.embedded import golden
from peeklock.stack.embedded.installed_postgres import postgres
from peeklock.stack.embedded.server_user import ServerUser
from peeklock.stack.errors import full_disk, port_in_use, unwritable
from peeklock.stack.progress import Progress, silent
from peeklock.stack.project.folder import LONGEST_SOCKET_PATH, passing_folder
from peeklock.stack.servers.postgres import ROLE, PostgresServer
from peeklock.stack.servers.postgres_settings import settings_of
from peeklock.stack.servers.wanted import USUAL, WantedServers
from peeklock.supervision.client import SupervisorClient
from peeklock.supervision.readiness import Watcher

if TYPE_CHECKING:
    from peeklock.stack.servers.admin import Administration

_TRIES = 5
_KEPT_TEMPLATES = 10
_ROOM = 512 * 1024 * 1024
_SOCKET = len("/.s.PGSQL.65535.lock")


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


class EmbeddedPostgres(PostgresServer):
    """A running server whose files are on this machine."""

    @classmethod
    def start(
        cls, supervisor: SupervisorClient, directory: Path, log_dir: Path, *, port: int, fixed: bool, password: str,
        progress: Progress = silent, environment: Mapping[str, str] | None = None, lasting: bool = False,
        wanted: WantedServers = USUAL,
    ) -> EmbeddedPostgres:  # fmt: skip
        """Copy the golden cluster below `directory` (registered with the supervisor) and start it; returns when it answers.

        `fixed`: the port was asked for, so when it is taken that is an error; else another one is tried. `environment`: more
        variables for its process. `lasting`: what was committed survives the end of its processes, however they end.
        `wanted`: its version and settings, where a file names them.
        """
        found = postgres(wanted.postgres_version)
        if wanted:
            progress(f"{found} stands for {wanted.postgres_image or 'the file'}")
        source = golden.ensure(supervisor, found, progress)
        user = ServerUser.find(supervisor)
        binaries = user.binaries(found)
        data, sockets = directory / "data", directory / "s"
        if len(os.fsencode(sockets)) > LONGEST_SOCKET_PATH - _SOCKET:
            sockets = passing_folder(supervisor, Path("/tmp"))  # noqa: S108  a new one, of ours alone
        try:
            for left in (data, sockets):  # by an attempt that failed
                shutil.rmtree(left, ignore_errors=True)
            data.mkdir(mode=0o700)
            sockets.mkdir(mode=0o700)
        except OSError as error:
            raise unwritable(data, error) from error
        golden.copy(supervisor, source / "data", data)
        if user.drop_to is not None:
            directory.chmod(0o711)
            user.own(data)
            user.own(sockets)
        binary = str(binaries.bin / "postgres")
        log = log_dir / "postgres.log"
        for attempt in range(_TRIES):
            argv = [binary, "-D", str(data), "-k", str(sockets), "-p", str(port)]
            settings = [
                *settings_of(found.major),
                *(["synchronous_commit=on"] if lasting else []),
                *wanted.postgres_settings,
            ]
            argv += [part for setting in settings for part in ("-c", setting)]
            watcher = Watcher(supervisor, cls.PROCESS, title=cls.TITLE, log_file=log)
            try:
                supervisor.spawn(
                    cls.PROCESS, argv, {"PATH": os.environ.get("PATH", os.defpath), "TZ": "UTC", **(environment or {})}, Path("/"),
                    log=str(log), layer=0, stop_signal=int(signal.SIGINT), grace=5.0, secrets=[password], **user.options,
                )  # fmt: skip
                watcher.until_line(lambda line: cls.READY in line, cls.READY, 30.0)
            except PeeklockError:
                text = "\n".join(watcher.tail())
                if "No space left on device" in text:
                    raise full_disk("starting Postgres", data, shutil.disk_usage(directory).free) from None
                if "Address already in use" not in text:
                    raise
                if fixed or attempt == _TRIES - 1:
                    raise port_in_use(port, cls.TITLE) from None
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
            "psql": str(binaries.bin / "psql"),
        }
        server = cls(supervisor, state)
        with server.admin() as connection:  # ready means that it answers, not that a port is open
            connection.run("ALTER ROLE {} PASSWORD {password}", ROLE, password=password)
        return server

    def _host(self) -> str:
        return str(self._state["sockets"])

    def _room(self) -> tuple[str, int | None]:
        return self._state["data"], shutil.disk_usage(Path(self._state["data"]).parent).free

    def _present(self, own: Administration, name: str, oid: int) -> bool:
        """Make sure that the files of a known template are here; False when they are nowhere, and then it is known no more."""
        files = Path(self._state["data"]) / "base" / str(oid)
        kept = Path(self._state["golden"]) / "templates" / str(oid)
        if not files.exists() and kept.exists():
            # In one step: a clone that begins now must find all of the files or wait for the lock that we hold.
            arriving = files.with_name(f"{oid}.new")
            golden.copy(self._supervisor, kept, arriving)
            ServerUser.find(self._supervisor).own(arriving)
            arriving.rename(files)
        if files.exists():
            return True
        own.run("ALTER DATABASE {} IS_TEMPLATE false", name)
        own.run("DROP DATABASE {}", name)
        return False

    def keep_templates(self) -> None:
        """Stop the server and make its cluster the golden one when it has templates that the golden one lacks.

        To be called when the stack ends in order: the next stack then starts with its databases migrated.
        """
        with self.admin() as connection:
            rows = connection.execute(
                "SELECT datname, oid, shobj_description(oid, 'pg_database') FROM pg_database WHERE datname NOT IN "
                "('postgres', 'template0', 'template1')"
            ).fetchall()
            templates = sorted(
                (row for row in rows if re.fullmatch(r"tpl_[0-9a-f]+", row[0])), key=lambda row: row[2] or ""
            )
            kept = {str(name): int(oid) for name, oid, _ in templates[-_KEPT_TEMPLATES:]}
            if set(kept) <= golden.names(Path(self._state["golden"])):
                return
            for name, *_ in rows:
                if name not in kept:
                    connection.run("ALTER DATABASE {} IS_TEMPLATE false", name)
                    connection.run("DROP DATABASE {} WITH (FORCE)", name)
            connection.run("ALTER ROLE {} PASSWORD NULL", ROLE)
        self.close()
        self._supervisor.call("stop", name=self.PROCESS)
        golden.publish(self._supervisor, Path(self._state["data"]), Path(self._state["golden"]), kept)
