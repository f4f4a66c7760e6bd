"""A transaction as it is seen from outside: what its statements were, what it changes, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from peeklock.stack.relay.postgres.statements import Statement

End = Literal["committed", "rolled back", "failed", "connection lost"]
"""`failed`: by an error of the server, as a statement that commits by itself does; `connection lost`: nobody was told of an end."""
MOST_TEXTS = 40
"""Statements of different texts that are kept of one."""


@dataclass(eq=False, slots=True)
class Transaction:
    """One that goes on, or has ended. A statement outside of BEGIN and COMMIT is one by itself."""

    began: float
    """Unix seconds of its first statement."""
    explicit: bool
    """Whether it was begun by BEGIN."""
    texts: dict[str, int] = field(default_factory=dict)
    """How often each statement came, in a few words, in the order of their first coming."""
    asked: bool = False
    """Whether its commit has come."""
    broken: bool = False
    """Whether it can only be rolled back, after an error."""
    error: str = ""
    """The SQLSTATE of its last error."""
    end: End | None = None
    ended: float = 0.0
    _made: dict[str, int] = field(default_factory=dict)

    @property
    def changes(self) -> tuple[str, ...]:
        """What it changes, as far as is known: of a statement that has changed nothing, nothing."""
        return tuple(change for change, count in self._made.items() if count > 0)

    def add(self, statement: Statement) -> None:
        """Take a statement in that is about to be carried out."""
        if statement.text in self.texts or (statement.text and len(self.texts) < MOST_TEXTS):
            self.texts[statement.text] = self.texts.get(statement.text, 0) + 1
        self.change(statement.changes, 1)

    def change(self, changes: tuple[str, ...], count: int) -> None:
        """Count changes that are made (1), or turn out not to be (-1)."""
        for each in changes:
            self._made[each] = self._made.get(each, 0) + count

    def finish(self, end: End, at: float) -> None:
        """Note how it has ended, unless that is known."""
        if self.end is None:
            self.end, self.ended = end, at
