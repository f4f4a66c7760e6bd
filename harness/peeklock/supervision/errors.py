"""How supervision fails: a child that cannot be started or does not get ready, a supervisor that is gone."""

from __future__ import annotations

import errno
import signal
from collections.abc import Sequence
from pathlib import Path

from peeklock.redaction import RedactedError


class SupervisionError(RedactedError):
    """A process cannot be had, or its supervisor cannot be asked."""


def cannot_start(name: str, program: str, error: OSError) -> SupervisionError:
    """The operating system refused to start a program."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return SupervisionError(
            f"no space left while starting {name}", where=error.filename or "", fix="make room there"
        )
    return SupervisionError(
        f"{name} cannot be started: {error.strerror}",
        where=program,
        fix="look at the file: does it exist, may you execute it, is its first line (#!) right?",
    )


def exited_before_ready(
    name: str, code: int, log: Sequence[str], log_file: Path | None = None, secrets: Sequence[str] = ()
) -> SupervisionError:
    """A child ended while somebody waited for it to be ready."""
    return SupervisionError(
        f"{name} ended before it was ready: {exit_text(code)}",
        where=str(log_file or ""),
        expected="a running process that answers",
        fix="its last lines say why; the file has all of them" if log_file else "its last lines say why",
        log=log or ("(it wrote nothing)",),
        secrets=secrets,
    )


def not_ready(
    name: str, awaited: str, within: float, seen: str, log: Sequence[str], log_file: Path | None = None,
    secrets: Sequence[str] = (), longer: str = "",
) -> SupervisionError:  # fmt: skip
    """A child runs but did not become ready in `within` seconds; `longer` says how it is given more time, if it can be."""
    return SupervisionError(
        f"{name} was not ready within {within:g} s",
        where=str(log_file or ""),
        expected=awaited,
        actual=seen,
        fix=f"if it only needs longer, {longer or 'run again with less at once (-n 1)'}; else its last lines say what it waits for",
        log=log or ("(it wrote nothing)",),
        secrets=secrets,
    )


def supervisor_gone(doing: str) -> SupervisionError:
    """The supervisor has ended, and all that it had started."""
    return SupervisionError(
        f"the supervisor went away while {doing}",
        expected="it lives as long as the stack",
        fix="everything below it has ended with it; run again (after `peeklock up`: `peeklock up` again)",
    )


def exit_text(code: int) -> str:
    """`exit status 3`, or the name of the signal when `code` is negative as in `subprocess`."""
    if code >= 0:
        return f"exit status {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"
