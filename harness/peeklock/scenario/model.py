"""A scenario file after loading: everything checked, nothing looked up yet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from peeklock.alerts import Rule
from peeklock.scenario.budget import Budget
from peeklock.scenario.document import DataPath, Document
from peeklock.scenario.durations import Duration
from peeklock.scenario.fields import Model
from peeklock.scenario.matchers import Matcher
from peeklock.scenario.moments import Moment
from peeklock.scenario.services import CaseService, Service
from peeklock.scenario.topology import DEPENDENCIES, Stack
from peeklock.scenario.vocabulary import VerbSpec

Ability = Literal["clock", "faults", "exact_ledger", "docker", "usage", "outages"]
Waivable = Literal[
    "no_dead_letters",
    "no_error_logs",
    "no_service_exit",
    "contracts_hold",
    "no_stuck_messages",
    "no_unexpected_consumers",
    "correlation_unbroken",
    "trace_unbroken",
    "no_error_spans",
]
Invariant = Literal[Waivable, "nothing_lost", "nothing_doubled"]


class HttpDefaults(Model):
    """What every `http` step of the file has unless it says otherwise."""

    service: str | None = Field(
        None, description="where paths without a host go; default: the only service with ready.http"
    )
    headers: dict[str, str] = {}


class Defaults(Model):
    """What steps have unless they say otherwise."""

    http: HttpDefaults = HttpDefaults()
    eventually: Duration = Field(20.0, gt=0, description="`within` of an `eventually` that says none")
    settle: Duration = Field(20.0, gt=0, description="`within` of a `settle` that says none")


class Explore(Model):
    """What `peeklock explore` is to know of the file's cases."""

    ignore: list[str] = Field(
        [],
        description="what may end otherwise after a disturbance: `table jobs.attempts`, `queue results.body.*`, `container logs`",
    )
    short_locks: bool = Field(
        True, description="locks last 5 s at most, so that late answers outlast them; false: they are as declared"
    )


class ClockStart(Model):
    """A clock that is moved, and what it shows when a case begins."""

    start: Moment = Field(description="2027-01-01T00:00:00Z; may have been")


Clock = Literal["real", "movable"] | ClockStart


class CaseHeader(Model):
    """One case: the unit of isolation, parallelism, repeat and report."""

    steps: list[Any] = Field(min_length=1)
    description: str = ""
    tags: list[str] = []
    covers: list[str] = Field([], description="ids of acceptance criteria, as in IO-1")
    requires: list[Ability] = []
    clock: Clock = "real"
    allow: list[Waivable] = Field([], description="invariants of `always` that this case waives")
    budget: Budget | None = Field(None, description="what the case may use at most")
    vars: dict[str, Any] = {}
    matrix: dict[str, list[Any]] | list[dict[str, Any]] | None = Field(
        None, description="lists: one case for each combination; a list of mappings: one case for each"
    )
    services: dict[str, CaseService] = Field({}, description="what services are told in this case besides")
    lock: str | None = Field(None, description="cases with the same word never run at the same time")
    timeout: Duration | None = Field(None, gt=0)
    isolation: Literal["reset", "fresh"] = Field(
        "reset", description="fresh: the services are restarted before the case"
    )


class Header(Model):
    """The top level of a scenario file."""

    scenario: str = Field(min_length=1, description="what the file is about, for people")
    extends: str | None = Field(
        None, description="a base file; mappings are merged with its own, its background and finally come first"
    )
    description: str = ""
    tags: list[str] = []
    timeout: Duration = Field(60.0, gt=0, description="the longest that one case may take")
    covers: list[str] = []
    requires: list[Ability] = []
    clock: Clock = "real"
    stack: Stack = Stack()
    services: dict[str, Service] = {}
    vars: dict[str, Any] = {}
    secrets: dict[str, str] = Field({}, description="like vars, and redacted wherever anything is written")
    defaults: Defaults = Defaults()
    background: list[Any] = Field([], description="steps before each case")
    cases: dict[str, CaseHeader] = Field(min_length=1)
    finally_: list[Any] = Field([], alias="finally", description="steps after each case, also when it failed")
    always: list[Invariant] = Field([], description="what must hold at the end of every case")
    preflight: bool = Field(
        False, description="look before the first case whether services reach the same things and all of it is there"
    )
    explore: Explore = Explore()
    alerts: str | list[str] = Field([], description="files of alert rules: rules.yaml, or an ARM template")


class FragmentHeader(Model):
    """The top level of a fragment file: steps that other files `use`."""

    fragment: str = Field(min_length=1, description="what the fragment does, for people")
    inputs: dict[str, Any] | list[str] = Field(
        [], description="names that the user gives; a mapping holds their defaults"
    )
    outputs: list[str] = Field([], description="names that the user may take")
    steps: list[Any] = Field(min_length=1)


@dataclass(frozen=True)
class Capture:
    """A part of a result that gets a name."""

    path: str
    secret: bool = False


@dataclass(frozen=True)
class Eventually:
    """How long a step looks again until its expectation holds."""

    arguments: Mapping[str, Any]
    """`within` and `stable_for`, not looked up."""
    fail_if: Matcher | None = None


@dataclass(frozen=True)
class Step:
    """One verb with what is expected of it."""

    verb: VerbSpec
    arguments: Any
    """The mapping for the verb's arguments, `${…}` not looked up."""
    name: str
    document: Document
    path: DataPath
    expect: Matcher | None = None
    capture: Mapping[str, Capture] = field(default_factory=dict)
    eventually: Eventually | None = None
    steps: tuple[Step, ...] = ()
    """Of a fragment (`use`), or the one observed (`never`)."""
    bindings: Mapping[str, Any] = field(default_factory=dict)
    """Inputs of a fragment, not looked up."""
    outputs: tuple[str, ...] = ()
    times: Any = 1
    """How often a fragment is run, not looked up."""

    @property
    def expect_path(self) -> DataPath:
        """Where the expectation stands in the document."""
        return (*self.path, "expect")


def walk(steps: Iterable[Step]) -> Iterator[Step]:
    """Yield steps and, after each, those inside it."""
    for step in steps:
        yield step
        yield from walk(step.steps)


@dataclass(frozen=True)
class Case:
    """One case, after its matrix has been spread out."""

    name: str
    """With the row of its matrix, as in `sas_failure[expired]`."""
    header: CaseHeader
    steps: tuple[Step, ...]
    path: DataPath
    row: Mapping[str, Any] = field(default_factory=dict)
    """The variables of this row of the matrix."""


@dataclass(frozen=True)
class Scenario:
    """One file."""

    path: Path
    document: Document
    header: Header
    background: tuple[Step, ...]
    cases: tuple[Case, ...]
    finally_: tuple[Step, ...]
    root: Path
    """The project's root: the nearest parent with a peeklock.yaml, a pyproject.toml or a .git."""
    alerts: Mapping[str, Rule] = field(default_factory=dict)
    """The alert rules of the file, by their names."""
    passed_over: tuple[str, ...] = ()
    """What the file of `stack.servicebus.config` has and the Service Bus here does not."""

    def place(self, path: DataPath) -> str:
        """Return `file:line` of something in the file, or in the base that it stands in."""
        owner = self.document.owner(path)
        file = owner.path.relative_to(self.root) if owner.path.is_relative_to(self.root) else owner.path
        return f"{file}:{owner.key_span(path).line}"

    def covers(self, case: Case) -> list[str]:
        """Return the criteria that a case covers, those of its file included."""
        return list(dict.fromkeys([*self.header.covers, *case.header.covers]))

    def requires(self, case: Case) -> list[str]:
        """Return the abilities that a case needs of its backend."""
        clock = [] if self.header.clock == case.header.clock == "real" else ["clock"]
        docker = ["docker"] if any(service.run is None for service in self.header.services.values()) else []
        steps = walk((*self.background, *case.steps, *self.finally_))
        by_steps = [ability for step in steps for ability in step.verb.requires]
        usage = ["usage"] if case.header.budget is not None and case.header.budget.services else []
        counted = case.header.budget is not None and (case.header.budget.deliveries or case.header.budget.messages)
        ledger = ["exact_ledger"] if counted else []
        ends = ["outages"] if self.ends_dependencies() else []
        own = (*self.header.requires, *case.header.requires, *clock, *docker, *usage, *ledger, *ends)
        return list(dict.fromkeys([*own, *by_steps]))

    def starts_at(self, case: Case) -> datetime | None:
        """Return what the clock shows when a case begins; None for the machine's time."""
        clock = self.header.clock if case.header.clock == "real" else case.header.clock
        return clock.start if isinstance(clock, ClockStart) else None

    def moves_clock(self, case: Case) -> bool:
        """Tell whether a case may move the clock."""
        return "clock" in self.requires(case)

    def ends_dependencies(self) -> bool:
        """Tell whether a step ends, holds still or starts something of the `stack`, which then has to be the file's own."""
        steps = walk((*self.background, *(step for case in self.cases for step in case.steps), *self.finally_))
        acts = [step.arguments for step in steps if step.verb.name == "service" and isinstance(step.arguments, dict)]
        targets = {str(target) for arguments in acts for target in arguments.values()}
        return not targets.isdisjoint({*DEPENDENCIES} - {*self.header.services})

    def tags(self, case: Case) -> list[str]:
        """Return the tags of a case and its file."""
        return list(dict.fromkeys([*self.header.tags, *case.header.tags]))

    def timeout(self, case: Case) -> float:
        """Return the seconds that a case may take."""
        return case.header.timeout or self.header.timeout
