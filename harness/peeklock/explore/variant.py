"""A case as it is explored: steps that go wrong first, what only looks left out, and no rules but those about the end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from peeklock.scenario.loader import read_steps
from peeklock.scenario.model import Case, Eventually, Scenario, Step
from peeklock.scenario.values import references
from peeklock.verbs import VOCABULARY

_LOOKS = frozenset({"logs", "messages", "metrics", "never", "path", "requests", "spans", "alert", "preflight"})
PATIENCE = "30s"
"""For messages to be dealt with before the next act, where the case has waited for something."""


Raw = Mapping[str, Any]
"""A step as it is written."""


@dataclass(frozen=True)
class Variant:
    """A scenario with the one case that is run of it."""

    scenario: Scenario
    case: Case


def acts(steps: Sequence[Step]) -> list[int]:
    """Return the positions of steps that do something, or that find out what a later one needs."""
    kept: list[int] = []
    needed: set[str] = set()
    for index in reversed(range(len(steps))):
        step = steps[index]
        if _acts(step) or needed & _defined(step):
            kept.append(index)
            needed |= _used(step)
    return kept[::-1]


def variant(scenario: Scenario, case: Case, kept: Sequence[int], disturbing: Iterable[Raw] = ()) -> Variant:
    """Return the case with the steps at `kept`, after those that disturb it, and no invariants.

    Where steps were left out before another, messages are waited for instead, as far as there are any.
    """
    steps: list[Step] = []
    waits = read_steps(scenario, [{"settle": PATIENCE}], VOCABULARY) if scenario.header.stack.servicebus else ()
    for index, waiting in waits_before(kept):
        steps += waits if waiting else ()
        step = case.steps[index]
        steps.append(replace(step, eventually=Eventually({"within": PATIENCE})) if is_patient(step) else step)
    header = scenario.header.model_copy(update={"always": [], "preflight": False})
    own = case.header.model_copy(update={"budget": None, "allow": ["no_service_exit"]})
    first = read_steps(scenario, list(disturbing), VOCABULARY)
    return Variant(replace(scenario, header=header), replace(case, header=own, steps=(*first, *steps)))


def anew(made: Variant) -> Variant:
    """Return it with services that are started for it."""
    case = replace(made.case, header=made.case.header.model_copy(update={"isolation": "fresh"}))
    return Variant(made.scenario, case)


def waits_before(kept: Sequence[int]) -> Iterator[tuple[int, bool]]:
    """Yield the positions with whether messages are to be dealt with first, because steps before it were left out."""
    for number, index in enumerate(kept):
        yield index, number > 0 and index != kept[number - 1] + 1


def is_patient(step: Step) -> bool:
    """Tell whether a step is made again until it is as expected, though it is not written so: one that looks at what the case
    has waited for before, and a request that a good client repeats when it has heard no answer."""
    if step.expect is None or step.eventually is not None:
        return False
    return step.verb.observes(step.arguments) or step.verb.repeats(step.arguments)


def feeds(steps: Sequence[Step], index: int, others: Sequence[int]) -> bool:
    """Tell whether any of the others needs what a step finds out or makes."""
    defined = _defined(steps[index])
    return any(defined & _used(steps[other]) for other in others)


def _acts(step: Step) -> bool:
    if step.verb.name == "use":
        return any(map(_acts, step.steps))
    return step.verb.name not in (*_LOOKS, "set", "settle") and not step.verb.observes(step.arguments)


def _defined(step: Step) -> set[str]:
    return {*step.capture, *step.outputs, *step.verb.defines(step.arguments)}


def _used(step: Step) -> set[str]:
    """Return the names that a step refers to, in whatever stands in it."""
    raw = [step.arguments, dict(step.bindings), step.times]
    found = {reference.root for value in raw for _, reference in references(value)}
    if step.expect is not None:
        found |= _expected(step)
    return found.union(*(_used(inner) for inner in step.steps))


def _expected(step: Step) -> set[str]:
    raw: Any = step.document.data
    for key in step.expect_path:
        try:
            raw = raw[key]
        except (KeyError, IndexError, TypeError):
            return set()
    return {reference.root for _, reference in references(raw)}
