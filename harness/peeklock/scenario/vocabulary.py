"""What the language needs to know of a verb to check it; the verbs themselves live further out and hand this in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from peeklock.scenario.errors import suggestion
from peeklock.scenario.fields import Model
from peeklock.scenario.topology import Stack
from peeklock.scenario.values import is_template

Shape = Literal["value", "collection", "nothing"]
"""What a verb yields: one mapping, a list of results, or nothing to expect anything of."""


@dataclass(frozen=True)
class Facts:
    """What the file declares, for a verb to check its arguments against."""

    stack: Stack
    services: frozenset[str]
    processes: frozenset[str]
    """Services, and replicas of those that have several: `worker`, `worker.0`, `worker.1`."""
    scaled: frozenset[str] = frozenset()
    """Services with a rule."""
    jobs: frozenset[str] = frozenset()
    """Those of them that are jobs."""
    alerts: frozenset[str] | None = frozenset()
    """Alert rules; None when their files cannot be read."""


@dataclass(frozen=True)
class Complaint:
    """Something wrong with the arguments of a step, at `path` inside them."""

    path: tuple[str | int, ...]
    message: str
    expected: str = ""
    fix: str = ""


def never(_: Any) -> bool:
    """No form of the verb observes: it acts, so it runs once."""
    return False


@dataclass(frozen=True)
class VerbSpec:
    """One verb of the language."""

    name: str
    arguments: type[Model]
    summary: str
    observes: Callable[[Any], bool] = never
    repeats: Callable[[Any], bool] = never
    """Whether these arguments act in a way that a good client repeats when it hears no answer."""
    judges: Callable[[Any], bool] = never
    """Whether these arguments say themselves what is expected: `eventually` then needs no `expect`."""
    shape: Shape = "value"
    shorthand: Callable[[Any], Any] = field(default=lambda raw: raw)
    """Turns a short form (`settle:`, `use: file`) into the mapping that `arguments` takes."""
    defines: Callable[[Any], Iterable[str]] = field(default=lambda _: ())
    """Names that later steps may use, from the raw arguments."""
    check: Callable[[Any, Facts], Iterable[Complaint]] = field(default=lambda _raw, _facts: ())
    """What pydantic cannot know: whether a queue, a service or a container is declared."""
    in_load: bool = False
    """Whether it may be an act of a `load`."""
    requires: tuple[str, ...] = ()
    """Abilities that a case with such a step needs of its backend, without saying so."""


Vocabulary = Mapping[str, VerbSpec]


def undeclared(kind: str, name: Any, declared: Iterable[str], path: tuple[str | int, ...]) -> list[Complaint]:
    """Return the complaint about a name that the file does not declare; none for a template or a declared name."""
    known = sorted(declared)
    if not isinstance(name, str) or is_template(name) or name in known:
        return []
    expected = "one of " + ", ".join(known) if known else f"the file declares no {kind}"
    return [
        Complaint(
            path, f'there is no {kind} "{name}"', expected, suggestion(name, known) or f"declare the {kind} in the file"
        )
    ]
