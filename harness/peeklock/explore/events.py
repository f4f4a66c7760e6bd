"""What a search tells of as it goes, and what it was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from peeklock.explore.kind import Disturbance
from peeklock.explore.moments import Moment
from peeklock.explore.shrink import Shrunk
from peeklock.explore.trial import Trial

REPEATED = 3
"""Times that a finding must come out the same to be none of chance."""


@dataclass(frozen=True)
class Recorded:
    """What the undisturbed case consists of, and what will be done to it."""

    moments: tuple[Moment, ...]
    disturbances: tuple[Disturbance, ...]
    seconds: float
    """Of one undisturbed run."""
    unsteady: tuple[str, ...]
    """Places that are not judged: undisturbed runs leave them behind in different ways."""
    untried: tuple[str, ...]


@dataclass(frozen=True)
class Deeper:
    """All was disturbed by itself; pairs come next."""

    pairs: int


@dataclass(frozen=True)
class Tried:
    """One disturbance was made."""

    number: int
    of: int
    disturbance: Disturbance
    trial: Trial


@dataclass(frozen=True)
class Finding:
    """Disturbances after which the system ends in the same wrong way."""

    disturbance: Disturbance
    """The first of them."""
    trial: Trial
    repeated: int
    """How often of `REPEATED` it came out the same."""
    shrunk: Shrunk | None = None
    file: Path | None = None
    """The scenario that fails because of it."""

    @property
    def flaky(self) -> bool:
        """Whether it may have been chance."""
        return self.repeated < REPEATED


@dataclass(frozen=True)
class Known:
    """What an exploration that was interrupted has found out."""

    trials: Mapping[str, Trial] = field(default_factory=dict)
    """By the text of their disturbance."""
    findings: Mapping[str, tuple[str, int, Shrunk | None, Path | None]] = field(default_factory=dict)
    """By their signature: the text of the first disturbance, how often it came out the same, what was left, the file."""

    def trial(self, by: Disturbance) -> Trial | None:
        """Return how a disturbance ended; None when that is not known, or not whether it is sure."""
        found = self.trials.get(by.text)
        if found is None or (found.verdict == "different" and found.signature not in self.findings):
            return None
        return found

    def finding(self, by: Disturbance, trial: Trial) -> Finding | None:
        """Return the finding that a disturbance led to; None when another had led to it before."""
        first, repeated, shrunk, file = self.findings.get(trial.signature, ("", 0, None, None))
        return Finding(by, trial, repeated, shrunk, file) if first == by.text else None


@dataclass(frozen=True)
class Explored:
    """The end."""

    recorded: Recorded | None
    """None: it has come to nothing."""
    tried: tuple[Tried, ...]
    findings: tuple[Finding, ...]
    left: int
    """Disturbances for which there was no time."""
    seconds: float


Event = Recorded | Tried | Finding | Deeper


@dataclass(frozen=True)
class Wanted:
    """What of a case is to be explored."""

    seed: int = 0
    budget: float | None = None
    """Seconds after which no further disturbance is made."""
    only: tuple[str, ...] = ()
    """Services or targets whose moments alone are disturbed."""
    write: bool = True
    """Write findings as scenarios."""
    first: bool = False
    """End with the first finding that is sure."""
    depth: int = 1
    """How many things go wrong together at most: 1 or 2."""
