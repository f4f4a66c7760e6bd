"""What a fault of Postgres sees: a commit of a service."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Commit:
    """A transaction that is about to be committed, or was."""

    service: str
    """Empty where it is not known whose it is."""
    changes: Collection[str]
    """`INSERT orders`, `UPDATE jobs`."""
    done: bool
    """The server has told that it is committed, and the service was not told yet."""

    def __str__(self) -> str:
        return f"the commit of {' + '.join(self.changes)} by {self.service or 'somebody'}"
