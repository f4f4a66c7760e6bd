"""Fewer steps that still lead to the same wrong end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from peeklock.explore.crew import Crew
from peeklock.explore.judge import Asked, Judge
from peeklock.explore.kind import Disturbance
from peeklock.explore.trial import Trial
from peeklock.explore.variant import acts, feeds

MOST_TRIES = 8
"""Steps that are tried to be left out."""


@dataclass(frozen=True)
class Shrunk:
    """What is left of a case for one finding."""

    kept: tuple[int, ...]
    """Positions of its steps."""
    of: int
    """How many it has."""
    asked: tuple[Asked, ...]
    """What is right where something was different."""


def shrink(trials: Crew, disturbance: Disturbance, trial: Trial, judge: Judge, ignored: Sequence[str]) -> Shrunk:
    """Leave out one step after the other, the last first, as long as what is left ends in the same wrong way."""
    steps = trials.case.steps
    kept, differences, tries = acts(steps), trial.differences, 0
    for index in reversed(kept):
        fewer = [each for each in kept if each != index]
        if not fewer or tries == MOST_TRIES or feeds(steps, index, fewer):
            continue
        tries += 1
        good = [trials.undisturbed(fewer) for _ in range(2)]
        if any(each.reason or each.ended is None for each in good):
            continue
        own = Judge([each.ended.facts for each in good if each.ended], ignored)
        found = trials.disturbed(disturbance, own, fewer)
        if found.verdict == "different" and found.signature == trial.signature:
            kept, differences, judge = fewer, found.differences, own
    asked = [right for each in differences if (right := judge.asked(each)) is not None]
    return Shrunk(tuple(kept), len(steps), tuple(dict.fromkeys(asked)))
