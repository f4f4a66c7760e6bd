"""The folder in which Peeklock keeps what it has made once, and locks between processes."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from peeklock.stack.errors import StackError, unwritable


def cache_dir() -> Path:
    """`$PEEKLOCK_CACHE`, else `$XDG_CACHE_HOME/peeklock`, else `~/.cache/peeklock`; made when absent."""
    named = os.environ.get("PEEKLOCK_CACHE")
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        path = Path(named) if named else (Path(base) if base else Path.home() / ".cache") / "peeklock"
    except RuntimeError as error:
        raise StackError("there is no home directory to keep a cache in", fix="set HOME, or PEEKLOCK_CACHE") from error
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(path, error) from error
    return path


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file `path`: one process at a time does what is inside. Freed by the kernel when the process ends."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # No link is followed, and nothing is written: the folder may be one that a clone has brought along.
        file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise unwritable(path, error) from error
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
