"""What is scaled in a case: what replicas of a deployment and executions of a job have in common."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from peeklock.scaling import State, plan
from peeklock.scenario.services import Scale
from peeklock.stack.backend import Exit, Services

Counts = Sequence[int | None]
"""Messages by rule; None where the scaler cannot see the queue."""
NEVER = math.inf
"""When what is not to be done is due."""


@dataclass(frozen=True)
class Scene:
    """What a scaled service has of its case."""

    service: str
    rule: Scale
    services: Services
    now: Callable[[], float]
    """The clock of the case."""
    began: float
    """When the case began, by it."""
    look: Callable[[], Counts | None]
    """Counts messages; None while Service Bus is away, and while a step has stopped the service."""
    is_stopped: Callable[[], bool]
    """Whether a step has stopped the service, or the case is over."""
    note: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Change:
    """The number of replicas, or of executions that run, was changed: seconds since the case began, by the case's clock."""

    at: float
    before: int
    after: int
    count: int
    why: str


@dataclass
class History:
    """How many there were, one number after the other, and each change that a rule has made."""

    steps: list[int]
    changes: list[Change] = field(default_factory=list)

    def add(self, scene: Scene, now: float, after: int, counts: Counts, why: str) -> None:
        """Remember a change and tell it."""
        seen = sum(count for count in counts if count is not None)
        change = Change(now - scene.began, self.steps[-1], after, seen, why)
        self.changes.append(change)
        self.steps.append(after)
        scene.note(f"scaled {change.before} → {after}: {why}")

    def facts(self) -> dict[str, Any]:
        """Return what the verb `scale` shows of it."""
        told = [
            {"at": round(each.at, 3), "from": each.before, "to": each.after, "count": each.count, "why": each.why}
            for each in self.changes
        ]
        return {"steps": list(self.steps), "history": told}


class Scaled(Protocol):
    """One service with a rule, and what has become of it in this case. All moments are of the clock of the case."""

    @property
    def due(self) -> float:
        """When something is to be done next."""

    def act(self) -> None:
        """Do what is due first. Raises `PeeklockError`."""

    def wake(self) -> None:
        """Do what was put off while the service was stopped."""

    def see(self, exit_: Exit) -> None:
        """A process has ended."""

    def facts(self) -> dict[str, Any]:
        """Return what the verb `scale` shows of it."""


class Deployment:
    """Implements `Scaled`: replicas that are started and ended."""

    def __init__(self, scene: Scene) -> None:
        self._scene, self.due = scene, scene.began
        self._state = State(scene.rule.min)
        self._history = History([scene.rule.min])

    def act(self) -> None:
        moment, self.due = self.due, self.due + self._scene.rule.polling
        counts = self._scene.look()
        if counts is None:
            return
        decision = plan(self._scene.rule, moment, counts, self._state)
        before, self._state = self._state.replicas, decision.state
        if decision.state.replicas != before:
            self._history.add(self._scene, moment, decision.state.replicas, counts, decision.why)
            self._scene.services.scale(self._scene.service, decision.state.replicas)

    def wake(self) -> None: ...

    def see(self, exit_: Exit) -> None: ...

    def facts(self) -> dict[str, Any]:
        return {"replicas": self._state.replicas, **self._history.facts()}
