"""A verb as the engine runs it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from peeklock.engine.context import CaseContext
from peeklock.scenario.model import Step
from peeklock.scenario.vocabulary import VerbSpec


@dataclass(frozen=True)
class Found:
    """What a verb yields, with what helps to explain a mismatch."""

    value: Any
    """A mapping or a list, by the verb's shape."""
    nearest: str = ""
    """The candidate that came nearest to what was looked for."""
    final: str = ""
    """Why looking again cannot change anything; empty while it can."""
    shown: Any = None
    """What a report shows of it, as JSON holds it; None for nothing."""
    refused: str = ""
    """How it was refused: the step fails by that, unless it expects something."""


@dataclass(frozen=True)
class Verb(VerbSpec):
    """A verb: what the language knows of it, and `run(arguments, context)`, which does it once.

    `run` gets validated arguments and returns a `Found`, or raises `VerbFailed` with a sentence for the user.
    `run_many` does it for several arguments at once, when a step says `times`; their `${…}` are looked up for each.
    """

    run: Callable[[Any, CaseContext], Found] = field(default=lambda _arguments, _context: Found({}))
    loads: tuple[str, ...] = ()
    """Modules that `run` imports and that take their time: a run that has such steps loads them while its stack comes up."""
    run_many: Callable[[Sequence[Any], CaseContext], Found] | None = None
    run_acts: Callable[[Any, Sequence[Step], CaseContext], Found] | None = None
    """In the place of `run`, for a verb whose `acts` are steps that it does itself, and looks their names up."""
