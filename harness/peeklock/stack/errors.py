"""`StackError`: something that the scenarios stand on cannot be had. The command line maps it to exit code 3.

What several parts of the stack run into is here; what one part alone runs into stands beside it.
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator, Sequence
from pathlib import Path

from peeklock.redaction import RedactedError


class StackError(RedactedError):
    """The stack, or a part of it, cannot be had."""


def port_in_use(port: int, wanted_by: str) -> StackError:
    """An explicit port, or one picked several times in a row, is taken."""
    return StackError(
        f"port {port} is in use, so {wanted_by} cannot listen on it",
        where=f"127.0.0.1:{port}",
        actual="held by another process",
        fix="stop that process, or ask for another port (0 picks a free one)",
    )


def missing_tool(tool: str, needed_for: str, checked: Sequence[str], fix: str) -> StackError:
    """A program that a backend itself needs is not there."""
    return StackError(f"{tool} is missing, and {needed_for} needs it", checked=checked, fix=fix)


def setup_failed(doing: str, log: Sequence[str], fix: str) -> StackError:
    """Something that is made once, when it is first needed, could not be made."""
    return StackError(f"{doing} failed", log=log, fix=fix)


def full_disk(doing: str, path: str | Path = "", free: int | None = None) -> StackError:
    """There is no space left; `free` is in bytes."""
    return StackError(
        f"no space left while {doing}",
        where=str(path),
        actual=f"{free / 1e6:.0f} MB free" if free is not None else "",
        fix="make room there; PEEKLOCK_DATA moves the data of a stack, PEEKLOCK_CACHE the cache",
    )


def unwritable(path: str | Path, error: OSError) -> StackError:
    """The operating system does not let us write there."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return full_disk("writing", path)
    return StackError(
        f"cannot write: {error.strerror}",
        where=str(path),
        fix="give yourself the right to write there, or point PEEKLOCK_DATA (data of a stack) or PEEKLOCK_CACHE (cache) elsewhere",
    )


@contextlib.contextmanager
def named_limits() -> Iterator[None]:
    """Raise a `StackError` where this process may not have more memory or threads."""
    try:
        yield
    except MemoryError as error:
        fix = "allow more (`ulimit -v`, the limit of a container), or run fewer files at once: -n 1"
        raise StackError("there is no more memory for this process", fix=fix) from error
    except RuntimeError as error:
        if "can't start new thread" not in str(error):
            raise
        fix = "allow more (`ulimit -u` and `-v`, the limits of a container), or run fewer files at once: -n 1"
        raise StackError("this process can start no more threads", fix=fix) from error
