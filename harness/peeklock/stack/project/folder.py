"""The `.peeklock` folder of a project: logs, and the socket of a warm stack."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import re
import secrets
import shutil
import stat
import tempfile
import time
from pathlib import Path

from peeklock.errors import PeeklockError
from peeklock.stack.errors import StackError, unwritable
from peeklock.stack.project.cache import cache_dir, locked
from peeklock.supervision.client import SupervisorClient

LONGEST_SOCKET_PATH = 100
"""Unix allows 108 bytes on Linux and 104 on macOS, one of them for the end."""
_KEPT_LOGS = 10
_LOGS = re.compile(r"\d{8}-\d{6}-\d+-\d+")
_HASHED = len("/0123456789abcdef.sock")
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
    """`<root>/.peeklock`, readable by its owner alone, and the stack of that name in it: the warm one, or one that was kept.

    A clone can bring such a folder along, so nothing in it says what is removed or connected to.
    """

    def __init__(self, root: Path, name: str = "stack") -> None:
        self.root, self.name = root, name
        self.path = root / ".peeklock"
        self.mark = self.path / f"{name}.up"
        """A file that is there while the stack is up."""
        self.lock = self.path / "up.lock"

    @property
    def listed(self) -> Path:
        """Another, in the folder of the user, that tells of the project: for commands that are typed elsewhere."""
        return cache_dir() / "up" / hashlib.sha256(os.fsencode(self.mark)).hexdigest()[:16]

    def make(self) -> None:
        """Make the folder, or make sure that it is one that Peeklock has made. Raises `StackError`."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._check()
            ignore = self.path / ".gitignore"
            if not ignore.exists():
                ignore.write_text("*\n")
        except OSError as error:
            raise unwritable(self.path, error) from error

    def _check(self) -> None:
        """Links would let the files of a clone decide where is written and what is removed."""
        for path in (self.path, *self.path.iterdir()):
            if path.is_symlink():
                raise StackError(
                    "the folder in which Peeklock keeps its files is not as Peeklock makes it",
                    where=str(path),
                    expected="folders and files",
                    actual=f"a link to {path.readlink()}",
                    fix="remove the link",
                )

    def new_log_dir(self) -> Path:
        """A folder for the logs of one stack; those of the last ten stay."""
        self.make()
        logs = self.path / "logs"
        path = logs / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}-{next(_numbers):04}"
        try:
            path.mkdir(parents=True, mode=0o700)
            for old in sorted(each for each in logs.iterdir() if _LOGS.fullmatch(each.name))[:-_KEPT_LOGS]:
                shutil.rmtree(old, ignore_errors=True)
        except OSError as error:
            raise unwritable(path, error) from error
        return path

    def socket_path(self) -> Path:
        """Where a warm stack listens: here, or in a short folder of the user's when this path is too long for a socket."""
        near = self.path / f"{self.name}.sock"
        if len(os.fsencode(near)) <= LONGEST_SOCKET_PATH:
            return near
        return user_folder() / f"{hashlib.sha256(os.fsencode(self.path / self.name)).hexdigest()[:16]}.sock"

    def connect(self, holding_lock: bool = False) -> SupervisorClient | None:
        """A connection to the warm stack's supervisor, or None; what a dead one left behind is removed."""
        if not self.mark.exists():
            return None
        self.make()
        client = self._connected()
        if client is None:
            with contextlib.nullcontext() if holding_lock else locked(self.lock):
                # Asked again under the lock: in between another process may have brought up a new one.
                client = self._connected()
                if client is None:
                    self.remove_marks()
        return client

    def _connected(self) -> SupervisorClient | None:
        path = self.socket_path()
        client = None
        try:
            if not stat.S_ISSOCK(path.lstat().st_mode):
                return None
            client = SupervisorClient.connect(path)
            client.call("hello", timeout=5)
        except (OSError, PeeklockError, TimeoutError):
            if client is not None:
                client.close()
            return None
        return client

    def mark_as_up(self) -> None:
        """Say that a stack is up. Nothing secret is written: who may connect may ask for the rest. Raises `StackError`."""
        try:
            self.listed.parent.mkdir(mode=0o700, exist_ok=True)
            self.listed.write_bytes(os.fsencode(self.root))
            self.mark.touch(mode=0o600)
        except OSError as error:
            raise unwritable(error.filename or self.mark, error) from error

    def remove_marks(self) -> None:
        """Remove what says that a stack is up."""
        for path in (self.mark, self.listed, self.socket_path()):
            path.unlink(missing_ok=True)


def roots_with_stacks() -> list[Path]:
    """The projects of this user that have a stack up, as far as is known."""
    roots = set()
    for listed in (cache_dir() / "up").glob("*"):
        with contextlib.suppress(OSError):
            roots.add(Path(os.fsdecode(listed.read_bytes())))
    return sorted(root for root in roots if any((root / ".peeklock").glob("*.up")))


def user_folder() -> Path:
    """A short folder of this user, which nobody else can enter. Raises `StackError`."""
    base = os.environ.get("XDG_RUNTIME_DIR")
    folder = Path(base) / "peeklock" if base else Path(tempfile.gettempdir()) / f"peeklock-{os.getuid()}"
    if len(os.fsencode(folder)) > LONGEST_SOCKET_PATH - _HASHED:
        folder = Path("/tmp") / f"peeklock-{os.getuid()}"  # noqa: S108  checked below
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.lstat()
    except OSError as error:
        raise unwritable(folder, error) from error
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise StackError(
            "the folder for the socket of the warm stack is not private",
            where=str(folder),
            expected="a folder of yours with mode 0700",
            fix="remove it, or set XDG_RUNTIME_DIR",
        )
    return folder
