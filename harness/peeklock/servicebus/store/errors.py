"""What goes wrong with a store."""

from __future__ import annotations


class StoreError(Exception):
    """A store that cannot be used: says what happened, to which file, and how to fix it."""

    def __init__(self, problem: str, fix: str) -> None:
        super().__init__(f"{problem}\n  fix: {fix}")
        self.problem = problem
        self.fix = fix
