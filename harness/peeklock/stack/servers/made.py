"""What a run has made on servers that are not its own, written down before it is made, so that all of it can be removed.

Nothing but these files decides what is removed: they lie in the cache of this machine, one for each run.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

from peeklock.stack.errors import unwritable
from peeklock.stack.project.cache import cache_dir

PREFIX = "pk"


def new_prefix() -> str:
    """Return what the names of all that a run makes begin with."""
    return f"{PREFIX}{secrets.token_hex(4)}"


class Made:
    """The names of one run at one server. Thread-safe; the file is locked for as long as the run lives."""

    def __init__(self, path: Path, where: str) -> None:
        """`where`: which server, without a secret."""
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600), "a")
        except OSError as error:
            raise unwritable(path, error) from error
        fcntl.flock(self._file, fcntl.LOCK_EX)
        self._write({"where": where})

    @classmethod
    def begin(cls, where: str) -> Made:
        """Begin the file of this run. Raises `StackError`."""
        return cls(_home() / f"{secrets.token_hex(8)}.jsonl", where)

    def note(self, name: str) -> None:
        """Write a name down; call it before the thing is made."""
        self._write({"made": name})

    def _write(self, fact: dict[str, str]) -> None:
        self._file.write(json.dumps(fact) + "\n")
        self._file.flush()

    def done(self) -> None:
        """Forget the file: everything in it is removed."""
        self._path.unlink(missing_ok=True)
        self._file.close()


def remove_left(where: str, remove: Callable[[str], object]) -> int:
    """Remove what runs that have ended left at a server; how many names. What `remove` cannot do stays written down."""
    count = 0
    for path, names in _ended(where):
        for name in reversed(names):
            remove(name)
            count += 1
        path.unlink(missing_ok=True)
    return count


def _ended(where: str) -> Iterator[tuple[Path, list[str]]]:
    for path in sorted(_home().glob("*.jsonl")):
        with contextlib.suppress(OSError, ValueError, KeyError), path.open(encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:  # its run lives
                continue
            facts = [json.loads(line) for line in file.read().splitlines() if line.endswith("}")]
            if facts and facts[0]["where"] == where:
                yield path, [str(fact["made"]) for fact in facts[1:]]


def _home() -> Path:
    return cache_dir() / "made"
