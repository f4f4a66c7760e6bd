"""What a failed case tells: the place, the mismatches, what happened in time order, the likely cause."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from peeklock.errors import PeeklockError
from peeklock.scenario.document import DataPath
from peeklock.scenario.errors import Span, excerpt, shorten
from peeklock.scenario.matchers import Mismatch
from peeklock.scenario.model import Step


@dataclass(frozen=True, slots=True)
class Moment:
    """One thing that happened during a case."""

    at: float
    """Unix seconds."""
    actor: str
    """The service, the queue or `test`: the column of the timeline."""
    text: str
    alarming: bool = False


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a case failed."""

    headline: str
    """One sentence; empty when the mismatches say all."""
    step: str
    where: str
    """`file:line:col`."""
    excerpt: tuple[str, ...] = ()
    mismatches: tuple[Mismatch, ...] = ()
    actual: str = ""
    """What was there instead, as JSON with long texts cut; empty where nothing was looked at."""
    notes: tuple[str, ...] = ()
    """Tries, why waiting ended, the nearest candidate."""
    timeline: tuple[Moment, ...] = ()
    started_at: float = 0.0
    likely_cause: str = ""
    also: tuple[str, ...] = ()
    """Further things that were wrong: broken invariants, failed `finally` steps."""


class StepFailed(PeeklockError):
    """A step did not do what was expected of it."""

    def __init__(
        self,
        step: Step,
        headline: str = "",
        *,
        mismatches: tuple[Mismatch, ...] = (),
        notes: tuple[str, ...] = (),
        at: DataPath | None = None,
        story: tuple[Moment, ...] = (),
        actual: Any = None,
    ) -> None:
        """`story` stands in the place of the timeline of the case: that of one item of many. `actual` is what did not match."""
        super().__init__(
            headline or "; ".join(f"{m.path}: expected {m.expected}, actual {m.actual}" for m in mismatches)
        )
        self.step, self.headline, self.mismatches, self.notes, self.at = step, headline, mismatches, notes, at
        self.story, self.actual = story, actual


class VerbFailed(PeeklockError):
    """A verb could not do its work, or did not find what its arguments say; the message is a sentence for the user.

    `path` leads into the verb's arguments. `final` says why looking again cannot change anything. `story` stands in the
    place of the timeline of the case.
    """

    def __init__(
        self,
        message: str,
        *,
        path: DataPath = (),
        notes: tuple[str, ...] = (),
        final: str = "",
        story: tuple[Moment, ...] = (),
    ) -> None:
        super().__init__(message)
        self.path, self.notes, self.final, self.story = path, notes, final, story


class Unforeseen(PeeklockError):
    """A step met an exception that nobody foresaw: a fault of Peeklock's own, or of what it stands on. It says nothing about
    the case, which is therefore not judged."""

    def __init__(self, step: Step, error: BaseException) -> None:
        place = step.document.entry_span(step.path)
        super().__init__(
            f'an unforeseen {type(error).__name__} in the step "{title(step)}": {error}',
            where=f"{shorten(step.document.path)}:{place.line}:{place.column}",
            fix="this is a fault of Peeklock: please report it with the traceback among the artefacts of the case",
        )


@dataclass(frozen=True, slots=True)
class Location:
    """A place in a scenario file, for people."""

    where: str
    excerpt: tuple[str, ...] = field(default=())


def locate(step: Step, path: DataPath, root: Path) -> Location:
    """Return the place of `path` in the step's document."""
    span = step.document.entry_span(path)
    return Location(f"{shorten(step.document.path, root)}:{span.line}:{span.column}", tuple(_excerpt(step, span)))


def _excerpt(step: Step, span: Span) -> list[str]:
    return excerpt(step.document.source, span)


def title(step: Step) -> str:
    """Return a step's name, or what it does where it has none."""
    if step.name:
        return step.name
    arguments = step.arguments
    if isinstance(arguments, dict):
        for key, value in arguments.items():
            if isinstance(value, str):
                return f"{step.verb.name} {key} {value}"
    return f"{step.verb.name} {arguments}" if isinstance(arguments, str) else step.verb.name
