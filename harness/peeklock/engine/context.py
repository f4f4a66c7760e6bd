"""What the steps of one case share."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from peeklock.engine.bounded import Call
from peeklock.engine.clients import Clients
from peeklock.engine.crash_points import CrashPoints
from peeklock.engine.events import Event
from peeklock.engine.exchanges import Exchanges
from peeklock.engine.failure import Moment
from peeklock.engine.ledger import Ledger
from peeklock.engine.names import Names
from peeklock.engine.record import StepRun
from peeklock.engine.scaler import Scaler
from peeklock.engine.waiting import Deadline, Signal
from peeklock.scenario.model import Case, Scenario
from peeklock.stack.backend import Environment
from peeklock.supervision.usage import Usage


@dataclass(frozen=True, slots=True)
class Request:
    """A request of an `http` step that was answered."""

    service: str
    """`test` for one to a URL."""
    method: str
    path: str
    status: int
    seconds: float


@dataclass
class Spent:
    """What a case has cost so far."""

    waiting: float = 0.0
    """Seconds."""
    requests: list[Request] = field(default_factory=list)
    used: dict[str, list[Usage]] = field(default_factory=dict)
    """What the services of its budget had used before it."""


@dataclass
class Story:
    """What a case has told of itself so far."""

    moments: list[Moment] = field(default_factory=list)
    steps: list[StepRun] = field(default_factory=list)
    """Those that have come to their end, in that order."""
    exchanges: Exchanges = field(default_factory=Exchanges)
    """What steps asked over HTTP."""
    tell: Callable[[Event], None] = field(default=lambda _: None)
    """Tells whoever watches the run."""


@dataclass
class CaseContext:
    """The environment, the names and the record of one case."""

    scenario: Scenario
    case: Case
    id: str
    """`file.yaml::case`."""
    slug: str
    """Unique for this run of the case; fit for a blob or a host name."""
    environment: Environment
    clients: Clients
    ledger: Ledger
    signal: Signal
    deadline: Deadline
    """When what runs now has to be over: the case, or the step or look that has less time."""
    names: Names
    secrets: set[str]
    """Values that must never be written."""
    folder: Path = field(default_factory=Path)
    """Where the relative paths of the running step start."""
    started_at: float = field(default_factory=time.time)
    story: Story = field(default_factory=Story)
    spent: Spent = field(default_factory=Spent)
    log_cursor: int = 0
    exit_cursor: int = 0
    stopped: set[str] = field(default_factory=set)
    """Services that a step has ended on purpose."""
    update_snapshots: bool = False
    abandoned: list[Call[Any]] = field(default_factory=list)
    """What was given up when its time was over, and may still be at it."""

    @cached_property
    def scaler(self) -> Scaler:
        """What starts and ends replicas during this case."""
        rules = {name: each.scale for name, each in self.scenario.header.services.items() if each.scale is not None}
        return Scaler(self.environment, rules, self.signal, self.note, self.stopped, self.scenario.header.stack)

    @cached_property
    def crashes(self) -> CrashPoints:
        """The crash points of this case."""
        return CrashPoints(self.environment, self.signal, self.note, self.stopped)

    @contextmanager
    def within(self, seconds: float) -> Iterator[Deadline]:
        """Let what is done meanwhile outlast neither `seconds` nor the deadline that holds already."""
        outer, self.deadline = self.deadline, self.deadline.sooner(seconds)
        try:
            yield self.deadline
        finally:
            self.deadline = outer

    def note(self, actor: str, text: str, *, alarming: bool = False, at: float | None = None) -> None:
        """Add a moment to the timeline, now or at a Unix time."""
        self.story.moments.append(Moment(time.time() if at is None else at, actor, text, alarming))

    def unexpected_exit(self) -> str:
        """Return a sentence about a service that ended by itself during this case; empty when none did."""
        exits, _ = self.environment.services.exits(self.exit_cursor)
        for found in exits:
            if not found.expected and not (found.code == 0 and self._is_job(found.service)):
                how = f"signal {-found.code}" if found.code < 0 else f"code {found.code}"
                return f"{found.service} exited with {how}"
        return ""

    def _is_job(self, service: str) -> bool:
        rule = self.scenario.header.services[service].scale
        return rule is not None and rule.job is not None


def slug_of(case: str) -> str:
    """Return a case's name in lower-case letters, digits and hyphens, at most 40 long."""
    return re.sub(r"[^a-z0-9]+", "-", case.lower()).strip("-")[:40] or "case"
