"""The `.peeklock` folder of a project: logs, and the pointer to a warm stack."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import os
import secrets
import shutil
import tempfile
import time
from pathlib import Path

from peeklock.errors import PeeklockError
from peeklock.stack.errors import StackError, unwritable
from peeklock.stack.project.cache import locked
from peeklock.supervision.client import SupervisorClient

LONGEST_SOCKET_PATH = 100
"""Unix allows 108 bytes on Linux and 104 on macOS, one of them for the end."""
_KEPT_LOGS = 10
KEPT = "kept-"
"""What the names of stacks begin with that a run has left standing."""
_numbers = itertools.count(1)


def new_folder(parent: Path, name: str) -> Path:
    """A folder `name` below `parent`, or one with a longer name when there is one. Raises `StackError`."""
    path = parent / name
    try:
        try:
            path.mkdir(parents=True)
        except FileExistsError:  # asked by trying: files of the same name may begin at the same moment
            path = parent / f"{name}-{secrets.token_hex(3)}"
            path.mkdir()
    except OSError as error:
        raise unwritable(path, error) from error
    return path


def passing_folder(supervisor: SupervisorClient, parent: Path) -> Path:
    """A new folder below `parent`, for its owner alone, that ends with the supervisor. Raises `StackError`."""
    path = Path(tempfile.mktemp(prefix="peeklock-", dir=parent))  # noqa: S306  registered first, then made
    supervisor.call("register", path=str(path))
    try:
        path.mkdir(mode=0o700)
    except OSError as error:
        raise unwritable(path, error) from error
    return path


class ProjectFolder:
    """`<root>/.peeklock`, readable by its owner alone, and the stack of that name in it: the warm one, or one that was kept."""

    def __init__(self, root: Path, name: str = "stack") -> None:
        self.root, self.name = root, name
        self.path = root / ".peeklock"
        self.pointer = self.path / f"{name}.json"
        self.lock = self.path / "up.lock"

    def make(self) -> None:
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            ignore = self.path / ".gitignore"
            if not ignore.exists():
                ignore.write_text("*\n")
        except OSError as error:
            raise unwritable(self.path, error) from error

    def new_log_dir(self) -> Path:
        """A folder for the logs of one stack; those of the last ten stay."""
        self.make()
        logs = self.path / "logs"
        path = logs / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}-{next(_numbers):04}"
        try:
            path.mkdir(parents=True, mode=0o700)
            for old in sorted(logs.iterdir())[:-_KEPT_LOGS]:
                shutil.rmtree(old, ignore_errors=True)
        except OSError as error:
            raise unwritable(path, error) from error
        return path

    def socket_path(self) -> Path:
        """Where a warm stack listens: here, or in a short folder of the user's when this path is too long for a socket."""
        near = self.path / f"{self.name}.sock"
        if len(os.fsencode(near)) <= LONGEST_SOCKET_PATH:
            return near
        base = os.environ.get("XDG_RUNTIME_DIR")
        folder = Path(base) / "peeklock" if base else Path(tempfile.gettempdir()) / f"peeklock-{os.getuid()}"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
        if status.st_uid != os.getuid() or status.st_mode & 0o077:
            raise StackError(
                "the folder for the socket of the warm stack is not private",
                where=str(folder),
                expected="a folder of yours with mode 0700",
                fix="remove it, or set XDG_RUNTIME_DIR",
            )
        return folder / f"{hashlib.sha256(os.fsencode(self.path / self.name)).hexdigest()[:16]}.sock"

    def write_pointer(self, socket_path: Path) -> None:
        """Say where the warm stack listens. Nothing secret is in it: who may connect may ask for the rest."""
        new = self.pointer.with_suffix(".new")
        new.touch(mode=0o600)
        new.write_text(json.dumps({"socket": str(socket_path)}))
        new.replace(self.pointer)

    def connect(self, holding_lock: bool = False) -> SupervisorClient | None:
        """A connection to the warm stack's supervisor, or None; what a dead one left behind is removed."""
        try:
            socket_path = Path(json.loads(self.pointer.read_text())["socket"])
        except (OSError, ValueError, KeyError):
            return None
        client = None
        try:
            client = SupervisorClient.connect(socket_path)
            client.call("hello", timeout=5)
        except (OSError, PeeklockError, TimeoutError):
            if client is not None:
                client.close()
            with contextlib.nullcontext() if holding_lock else locked(self.lock):
                self._remove_stale(socket_path)
            return None
        return client

    def _remove_stale(self, socket_path: Path) -> None:
        # Asked again under the lock: in between another process may have brought up a new one.
        with contextlib.suppress(OSError):
            SupervisorClient.connect(socket_path).close()
            return
        for path in (socket_path, self.pointer):
            path.unlink(missing_ok=True)
