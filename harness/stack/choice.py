"""Which backend `auto` means on this machine, and why."""

from __future__ import annotations

from harness.stack.errors import StackError
from harness.stack.open import BACKENDS


def choose_backend(wanted: str) -> tuple[str, str]:
    """Return the backend and the reason, for the first line of a report. Raises `StackError` for one that is not there."""
    if wanted == "auto":
        return "embedded", "no Docker needed"
    if wanted not in BACKENDS:
        raise StackError.unknown_backend(wanted, ("auto", *BACKENDS))
    return wanted, "asked for"
