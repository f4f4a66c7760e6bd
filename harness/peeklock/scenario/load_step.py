"""A load: acts of the language, done by many users at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import Field, model_validator

from peeklock.scenario.document import DataPath
from peeklock.scenario.durations import Duration
from peeklock.scenario.errors import ScenarioInvalid
from peeklock.scenario.fields import Model
from peeklock.scenario.model import Case, Scenario, Step, walk
from peeklock.scenario.vocabulary import Complaint

OWN_NAMES = frozenset({"user", "index"})
"""What `${…}` may name in an act besides: the number of the user and that of the round among all, from 0."""
BESIDE_ACTS = frozenset({"set", "use"})
"""What may stand among acts and is none itself."""


class LoadArguments(Model):
    """How many users there are, for how long or how often, and what each does in a round."""

    users: int = Field(1, ge=1, le=10_000, description="so many at once, each with connections of its own")
    spawn_rate: float | None = Field(None, gt=0, description="users that begin in a second; default: all of them")
    duration: Duration | None = Field(None, gt=0, description="then each user ends the round that it is in")
    iterations: int | None = Field(None, ge=1, le=10_000_000, description="rounds of all users together")
    pause: Duration = Field(0.0, ge=0, description="what a user waits between two rounds")
    acts: list[Any] = Field(min_length=1, description="the steps of a round: http, send, set, use")

    @model_validator(mode="after")
    def _one_end(self) -> LoadArguments:
        if (self.duration is None) == (self.iterations is None):
            raise ValueError("say when it ends: exactly one of duration or iterations")
        return self


def act_complaints(acts: Iterable[Step]) -> Iterator[Complaint]:
    """Yield what a load cannot do of its acts, at a path of their document; of fragments, at the act that uses one."""
    for act in acts:
        yield from (replace(each, path=(*act.path, *each.path)) for each in _complaints(act))
        for step in walk(act.steps):
            for each in _complaints(step):
                text = f"{step.document.path.name}: {each.message}"
                yield replace(each, path=(*act.path, "use"), message=text)


def _complaints(step: Step) -> Iterator[Complaint]:
    verb, fix = step.verb, "write the act so often, or raise `iterations`"
    if not verb.in_load and verb.name not in BESIDE_ACTS:
        text, known = f'"{verb.name}" is no act of a load', "one of http, send, set, use"
        yield Complaint((verb.name,), text, known, "do it in a step before or after the load")
    elif step.eventually is not None:
        yield Complaint(("eventually",), "an act of a load does not wait", fix="observe in a step after the load")
    elif verb.in_load and isinstance(step.arguments, dict) and "times" in step.arguments:
        yield Complaint((verb.name, "times"), "an act of a load is done once in a round", fix=fix)
    elif verb.name == "use" and step.times != 1:
        yield Complaint(("times",), "an act of a load is done once in a round", fix=fix)


def expectation_complaint(raw: Mapping[str, Any], path: DataPath) -> Complaint | None:
    """Return what is missing in what the step at `path` expects: a load with failures must not pass unseen."""
    expect = raw.get("expect")
    if not isinstance(expect, dict) or "failures" in expect:
        return None
    return Complaint(
        (*path, "expect"), "what is expected of a load says nothing of its failures", fix="add failures: 0"
    )


def has_load(case: Case) -> bool:
    """Tell whether a case has a load among its steps or in a fragment of theirs."""
    return any(step.verb.name == "load" for step in walk(case.steps))


@dataclass(frozen=True)
class LoadChange:
    """What somebody who runs a load says otherwise than its step; None where it stays."""

    users: int | None = None
    spawn_rate: float | None = None
    duration: float | None = None
    """Seconds, in the place of whatever the step says of its end."""

    def of(self, scenario: Scenario, cases: Sequence[Case]) -> tuple[Scenario, list[Case]]:
        """Return the file and its cases with every load changed; a case has as many seconds more as its loads last longer.

        Raises `ScenarioInvalid` for a case that has no load.
        """
        changed = [self._case(scenario, case) for case in cases]
        inside = {case.name: case for case in changed}
        return replace(scenario, cases=tuple(inside.get(case.name, case) for case in scenario.cases)), changed

    def _case(self, scenario: Scenario, case: Case) -> Case:
        loads = [step for step in walk(case.steps) if step.verb.name == "load"]
        if not loads:
            text = f'the case "{case.name}" has no load'
            raise ScenarioInvalid([scenario.document.problem(case.path, text, fix="add a step `load: …`", at_key=True)])
        steps = tuple(self._step(step) for step in case.steps)
        timeout = scenario.timeout(case) + (self.duration or 0.0) * len(loads)
        return replace(case, steps=steps, header=case.header.model_copy(update={"timeout": timeout}))

    def _step(self, step: Step) -> Step:
        if step.verb.name != "load":
            return replace(step, steps=tuple(map(self._step, step.steps))) if step.steps else step
        said = {"users": self.users, "spawn_rate": self.spawn_rate}
        arguments = {**step.arguments, **{key: value for key, value in said.items() if value is not None}}
        if self.duration is not None:
            arguments.pop("iterations", None)
            arguments["duration"] = f"{self.duration:g}s"
        return replace(step, arguments=arguments)
