"""The command `peeklock`."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from peeklock.errors import PeeklockError
from peeklock.stack.errors import named_limits
from peeklock.stack.loopback import keep_to_loopback


def main() -> None:
    """Run the command line; exit codes: 0 pass, 1 a case failed, 2 invalid, 3 the stack did not start, 4 flaky."""
    if sys.argv[1:2] == ["servicebus"]:
        # a process of its own that should start as fast as it can, so nothing else is imported
        from peeklock.servicebus.process import main as servicebus

        sys.exit(servicebus(sys.argv[2:]))
    _have_streams()
    keep_to_loopback()
    from peeklock.cli.app import app_for  # after what is above: some packages look at the environment when imported

    with _named_errors():
        app_for(sys.argv[1:])(prog_name="peeklock")


def _have_streams() -> None:
    """Let descriptors 0 to 2 be there, whoever closed them: a socket that got one of these numbers would be written to."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115  as long as the process
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # what services say may be no text for this terminal


@contextlib.contextmanager
def _named_errors() -> Iterator[None]:
    """Say in a sentence what the machine does not let us do."""
    try:
        try:
            with named_limits():
                yield
        finally:
            sys.stdout.flush()
    except PeeklockError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(3)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is left would fail again when the interpreter ends
        where = error.filename or "standard output"
        _end(f"cannot write to {where}: {error.strerror}", "make room there, or write elsewhere")


def _end(problem: str, fix: str) -> NoReturn:
    with contextlib.suppress(OSError):
        sys.stderr.write(f"error: {problem}\n  how to fix: {fix}\n")
        sys.stderr.flush()
    sys.exit(3)
