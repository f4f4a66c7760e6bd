"""What goes wrong with a store."""

from __future__ import annotations

from peeklock.errors import PeeklockError


class StoreError(PeeklockError):
    """A store that cannot be used: says what happened, to which file, and how to fix it."""

    def __init__(self, problem: str, fix: str) -> None:
        super().__init__(problem, fix=fix)
