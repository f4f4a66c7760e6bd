"""All reports of a run: one that cannot be written is named, and does not keep the others from their work."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from peeklock.engine.events import Event, Handler

T = TypeVar("T")


class FanOut:
    """Hands every event to every report. A handler itself."""

    def __init__(self, handlers: list[Handler], complain: Callable[[str], None]) -> None:
        """`complain` is told a sentence for each report that fails; such a report gets no more events."""
        self._handlers = handlers
        self._complain = complain
        self.broken = False
        """Whether a report has failed."""

    def __call__(self, event: Event) -> None:
        for handler in list(self._handlers):
            try:
                handler(event)
            except (OSError, ValueError) as error:
                self._handlers.remove(handler)
                self.fails(type(handler).__name__, error)

    def attempt(self, what: str, work: Callable[[], T], otherwise: T) -> T:
        """Return what `work` returns, or `otherwise` when it cannot write: `what` is then named."""
        try:
            return work()
        except OSError as error:
            self.fails(what, error)
            return otherwise

    def fails(self, what: str, error: Exception) -> None:
        """Tell that a report cannot be written."""
        self.broken = True
        place = f": {Path(str(error.filename))}" if isinstance(error, OSError) and error.filename else ""
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        self._complain(f"{what} cannot be written{place}: {reason}")
