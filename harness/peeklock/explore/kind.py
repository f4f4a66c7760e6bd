"""A disturbance: what goes wrong at a moment, as steps of an ordinary scenario; and a kind of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic

from peeklock.explore.moments import M

EVENTS = {"complete": "completed", "abandon": "abandoned", "defer": "deferred", "dead_letter": "dead_lettered"}
"""Settlements, and what the ledger tells of them when they are done."""


@dataclass(frozen=True)
class Disturbance:
    """What goes wrong: one thing at one moment, or two."""

    kinds: tuple[str, ...]
    text: str
    """A sentence of it: `worker dies before its complete of orders#1 is done`."""
    steps: tuple[Mapping[str, Any], ...] = field(hash=False)
    """Stand before the steps of the case."""
    rank: int
    """How likely it is to find something: the lowest first."""
    moments: tuple[str, ...] = ()
    """What it goes wrong at."""

    def __add__(self, other: Disturbance) -> Disturbance:
        """Return both together; twice the same is two that follow each other."""
        text = f"{self.text}, twice" if self == other else f"{self.text}; {other.text}"
        steps = tuple(map(_following, other.steps)) if self == other else other.steps
        rank, moments = self.rank + other.rank, self.moments + other.moments
        return Disturbance(self.kinds + other.kinds, text, self.steps + steps, rank, moments)


class Kind(ABC, Generic[M]):
    """One kind of disturbance."""

    word: ClassVar[str]
    rank: ClassVar[int]

    def of(self, moment: M) -> Disturbance | None:
        """Return how a moment is disturbed in this way; None where it cannot be."""
        step = self.step(moment)
        if step is None:
            return None
        return Disturbance((self.word,), self.text(moment), (step,), self.rank, (str(moment),))

    @abstractmethod
    def text(self, moment: M) -> str:
        """Return the sentence that tells of it."""

    @abstractmethod
    def step(self, moment: M) -> dict[str, Any] | None:
        """Return the step that makes it happen; None where it cannot."""


def _following(step: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the step for the next time. Of operations that are held each gets one; an event is seen by all that wait for it."""
    at = step["crash"]["at"] if "crash" in step else {}
    if at.get("on") not in EVENTS.values():
        return step
    return {"crash": {**step["crash"], "at": {**at, "nth": at.get("nth", 1) + 1}}}
