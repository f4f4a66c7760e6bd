"""What happens in a run: small frozen events. Every output is a handler of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from peeklock.engine.failure import Failure
from peeklock.engine.record import Record
from peeklock.engine.shard import Shard

Outcome = Literal["passed", "failed", "skipped", "error"]


@dataclass(frozen=True, slots=True)
class Durations:
    """Where the seconds went."""

    setup: float = 0.0
    """Bringing up and resetting the environment."""
    waiting: float = 0.0
    """Waiting for something to become true."""
    working: float = 0.0
    """Doing and looking."""

    @property
    def total(self) -> float:
        """All of it."""
        return self.setup + self.waiting + self.working

    def __add__(self, other: Durations) -> Durations:
        return Durations(self.setup + other.setup, self.waiting + other.waiting, self.working + other.working)


@dataclass(frozen=True, slots=True)
class Event:
    """The base of all events; `at` is in Unix seconds."""

    at: float


@dataclass(frozen=True, slots=True)
class RunStarted(Event):
    """Everything is checked; the stack comes next."""

    run: str
    cases: int
    files: int
    backend: str
    why: str
    """Why this backend."""
    folder: Path
    """Where artefacts go."""
    criteria: dict[str, str] = field(default_factory=dict)
    """The acceptance criteria that the files of the run may cover: a sentence for each id."""
    shard: Shard | None = None
    """The part of a run on several machines that this is."""


@dataclass(frozen=True, slots=True)
class Progress(Event):
    """Something that takes a while has begun or ended."""

    text: str


@dataclass(frozen=True, slots=True)
class StackReady(Event):
    """The dependencies answer."""

    seconds: float
    warm: bool
    parts: dict[str, float]
    """Seconds until each part answered; empty for a warm stack."""
    place: str = ""
    """The container engine that it is on, if any."""


@dataclass(frozen=True, slots=True)
class EnvironmentReady(Event):
    """The services of one scenario file are ready."""

    scenario: str
    seconds: float


@dataclass(frozen=True, slots=True)
class CaseStarted(Event):
    """A case begins on a clean environment."""

    case: str


@dataclass(frozen=True, slots=True)
class StepStarted(Event):
    """One step begins."""

    case: str
    name: str
    verb: str
    line: int
    waits: bool
    """Whether it looks again until something holds."""


@dataclass(frozen=True, slots=True)
class StepProgress(Event):
    """A step that takes a while has something to tell."""

    case: str
    text: str
    """As people read it."""
    figures: dict[str, float]
    """The same for tools."""


@dataclass(frozen=True, slots=True)
class StepFinished(Event):
    """One step is done, well or not."""

    case: str
    name: str
    verb: str
    line: int
    seconds: float
    waiting: float
    tries: int
    ok: bool


@dataclass(frozen=True, slots=True)
class CaseFinished(Event):
    """A case has ended."""

    case: str
    outcome: Outcome
    durations: Durations
    reason: str = ""
    """Of a skip or an error."""
    failure: Failure | None = None
    artefacts: Path | None = None
    covers: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    traceback: str = ""
    """Of an exception that nobody foresaw."""
    record: Record | None = None
    """What was seen, for artefacts; absent when the case did not run."""
    repeat: int = 0
    """Which repetition, from 0."""


@dataclass(frozen=True, slots=True)
class RunFinished(Event):
    """The last event of a run."""

    run: str
    passed: int
    failed: int
    skipped: int
    errors: int
    flaky: tuple[str, ...]
    """Cases that both failed and passed."""
    seconds: float
    durations: Durations
    """Summed over cases; with several workers more than `seconds`."""
    setup: float = 0.0
    """Seconds until the stack answered."""
    interrupted: bool = False
    unjudged: int = 0
    """How many cases of the plan have no result at all."""
    failed_cases: tuple[str, ...] = field(default_factory=tuple)


Handler = Callable[[Event], None]
