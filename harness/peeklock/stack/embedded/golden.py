"""The golden Postgres cluster in the cache: made by `initdb` once, copied for each stack, grown by templates worth keeping.

A golden folder holds `data`, the cluster without the files of its template databases, and `templates/<oid>`, those files: each is
copied into a stack's cluster only when something asks for it, so that templates of other projects cost a stack nothing.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path

from peeklock.stack.embedded.installed_postgres import Postgres
from peeklock.stack.embedded.server_user import ServerUser
from peeklock.stack.errors import full_disk, setup_failed, unwritable
from peeklock.stack.progress import Progress, silent
from peeklock.stack.project.cache import cache_dir, locked
from peeklock.stack.servers.postgres import ROLE
from peeklock.supervision.client import SupervisorClient
from peeklock.supervision.process_tree import LINUX

_FORMAT = 2
"""Raise it when the flags of `initdb` or the files below change: old golden clusters are then left alone and made anew."""
_ACCESS = f"""\
# The socket lies in a folder that only the owner of the stack can enter; over TCP the stack's random password is needed.
local all {ROLE} trust
host all {ROLE} 127.0.0.1/32 scram-sha-256
"""


def home(postgres: Postgres) -> Path:
    """The folder of all golden clusters of a version; `current` in it points to the newest."""
    return cache_dir() / "postgres" / f"{postgres.version}-{_FORMAT}"


def ensure(supervisor: SupervisorClient, postgres: Postgres, progress: Progress = silent) -> Path:
    """The newest golden folder, made when absent (about 0.6 s). Copy from it; never start a server on it."""
    current = home(postgres) / "current"
    if not (current / "data" / "PG_VERSION").exists():
        with locked(home(postgres) / "lock"):
            if not (current / "data" / "PG_VERSION").exists():
                progress("making a Postgres cluster (once)")
                _initialise(supervisor, postgres)
    # Resolved, so that a copy which has begun stays with one cluster when a newer one takes its place.
    return current.resolve()


def _initialise(supervisor: SupervisorClient, postgres: Postgres) -> None:
    new = home(postgres) / f"golden-{secrets.token_hex(4)}"
    supervisor.call("register", path=str(new))
    try:
        new.mkdir(mode=0o711)
        user = ServerUser.find(supervisor)
        place = user.place(supervisor, new)
        data = place / "data"
        data.mkdir(mode=0o700)
        user.own(data)
        binaries = user.binaries(postgres)
        argv = [str(binaries.bin / "initdb"), "-D", str(data), "-U", ROLE, "--no-sync", "-A", "trust", "-E", "UTF8"]
        argv += ["--wal-segsize=1", "--no-instructions"]
        if binaries.major >= 16:
            # In a file of the folder, not in /dev/shm, where it would stay behind when initdb is killed.
            argv += ["-c", "dynamic_shared_memory_type=mmap"]
        if binaries.major >= 17:
            argv += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        else:
            argv += ["--locale=C"]
        code, log = supervisor.run("initdb", argv, _plain_environment(), Path("/"), **user.options)
        if code != 0:
            text = "\n".join(log)
            if "No space left" in text:
                raise full_disk("making a Postgres cluster", new, shutil.disk_usage(new.parent).free)
            raise setup_failed("making a Postgres cluster with initdb", log[-12:], "its lines say why")
        (data / "pg_hba.conf").write_text(_ACCESS)
        if place != new:
            copy(supervisor, data, new / "data")
            shutil.rmtree(place)
        _keep(supervisor, new)
    except OSError as error:
        raise unwritable(error.filename or new, error) from error
    except BaseException:
        supervisor.call("remove", path=str(new))
        raise
    _make_current(new)


def _keep(supervisor: SupervisorClient, path: Path) -> None:
    """Take a finished directory out of those that end with the stack, by moving the registration to nothing."""
    supervisor.call("unregister", path=str(path))


def _make_current(new: Path) -> None:
    link = new.parent / f"current-{secrets.token_hex(4)}"
    link.symlink_to(new.name)
    link.replace(new.parent / "current")


def publish(supervisor: SupervisorClient, data: Path, source: Path, templates: Mapping[str, int]) -> None:
    """Make a cleanly stopped cluster the golden one, swapped in atomically; the one before is kept too.

    `templates`: those to keep, with their oids; files that `data` never needed are taken over from the golden folder `source`.
    """
    home = source.parent
    with locked(home / "lock"):
        new = home / f"golden-{secrets.token_hex(4)}"
        supervisor.call("register", path=str(new))
        new.mkdir(mode=0o711)
        copy(supervisor, data, new / "data")
        (new / "templates").mkdir(mode=0o711)
        for oid in templates.values():
            files = new / "data" / "base" / str(oid)
            if files.exists():
                files.rename(new / "templates" / str(oid))
            elif (source / "templates" / str(oid)).exists():
                copy(supervisor, source / "templates" / str(oid), new / "templates" / str(oid))
        (new / "names").write_text("\n".join(sorted(templates)))
        before = (home / "current").resolve()
        _keep(supervisor, new)
        _make_current(new)
        for old in home.glob("golden-*"):
            if old not in (new, before):  # a stack that starts right now may still be copying the last one
                shutil.rmtree(old, ignore_errors=True)


def names(source: Path) -> set[str]:
    """The templates of the newest golden cluster, of the version of the golden folder `source`."""
    listing = source.parent / "current" / "names"
    return set(listing.read_text().split()) if listing.exists() else set()


def copy(supervisor: SupervisorClient, source: Path, target: Path) -> None:
    """Copy a folder, by `cp` (twice as fast as Python, and it ends with the supervisor). Raises `StackError`."""
    flags = ["-a", "--reflink=auto"] if LINUX else ["-a"]
    program = shutil.which("cp") or "/bin/cp"
    argv = [program, *flags, f"{source}/.", str(target)]
    code, log = supervisor.run(f"copy-{secrets.token_hex(3)}", argv, _plain_environment(), Path("/"))
    if code != 0:
        if any("No space left" in line for line in log):
            raise full_disk("copying the Postgres cluster", target, shutil.disk_usage(target.parent).free)
        raise setup_failed("copying the Postgres cluster", log[-6:], f"look at {target.parent}")


def _plain_environment() -> dict[str, str]:
    # LC_ALL: messages are read by us. PG* variables of the caller would point the tools at another server.
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}
