"""Runs one case on its environment: reset, background, steps, `finally`, invariants."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from peeklock.engine.clients import Clients
from peeklock.engine.context import CaseContext, slug_of
from peeklock.engine.environments import engine_names, file_variables, secrets_of
from peeklock.engine.events import CaseFinished, CaseStarted, Durations, Event, Outcome
from peeklock.engine.failure import Failure, Moment, StepFailed, locate, title
from peeklock.engine.invariants import broken
from peeklock.engine.ledger import Ledger
from peeklock.engine.record import Record
from peeklock.engine.stepping import Stepper
from peeklock.engine.timeline import likely_cause, timeline
from peeklock.engine.waiting import Deadline, Signal
from peeklock.errors import PeeklockError
from peeklock.redaction import Redactor
from peeklock.scenario.matchers import Mismatch
from peeklock.scenario.model import Case, Scenario
from peeklock.scenario.values import ValueInvalid, resolve
from peeklock.stack.backend import Environment

SILENCE = 0.15
"""Seconds without a word after which services are taken to have said all about a failure."""
LONGEST_WORDS = 0.6
"""Seconds after which nobody is listened to any more."""


@dataclass(frozen=True)
class CaseOptions:
    """What the one who runs cases may choose."""

    update_snapshots: bool = False
    cache: Path = field(default_factory=Path)
    """Where tools and models are cached: `${project.cache}`."""


@dataclass(frozen=True)
class CaseRun:
    """One run of one case, on an environment that nobody else uses meanwhile."""

    scenario: Scenario
    case: Case
    name: str
    """`file.yaml::case`."""
    environment: Environment
    clients: Clients
    emit: Callable[[Event], None]
    options: CaseOptions

    def run(self) -> CaseFinished:
        """Run the case to its end, well or not."""
        self.emit(CaseStarted(time.time(), self.name))
        started = time.monotonic()
        covers = tuple(self.scenario.covers(self.case))
        try:
            cursor = self._reset()
            setup = time.monotonic() - started
            context, error, also = self._act(cursor)
            if error or also:
                self.environment.check()
            record = _record(context)
        except PeeklockError as trouble:
            # what the case stands on has gone: that says nothing about the case
            durations = Durations(setup=time.monotonic() - started)
            return CaseFinished(time.time(), self.name, "error", durations, reason=str(trouble), covers=covers)
        total = time.monotonic() - started
        durations = Durations(setup, context.waiting, max(0.0, total - setup - context.waiting))
        failure = None
        if error or also:
            failure = _redacted(_failure(context, error, also, record), Redactor(context.secrets))
        outcome: Outcome = "failed" if failure else "passed"
        return CaseFinished(time.time(), self.name, outcome, durations, failure=failure, covers=covers, record=record)

    def _reset(self) -> int:
        if self.case.header.isolation == "fresh":
            for service in self.environment.services.names():
                self.environment.services.stop(service)
        return self.environment.reset(self.scenario.starts_at(self.case))

    def _act(self, cursor: int) -> tuple[CaseContext, StepFailed | None, list[str]]:
        signal = Signal()
        stop_listening = self.environment.on_change(signal.wake)
        try:
            context = self._context(cursor, signal)
            try:
                self._define_names(context)
            except ValueInvalid as wrong:
                return context, None, [f"{wrong.problem} {wrong.fix}".strip()]
            error, also = _steps(context, self.emit)
            if error or also:
                _hear_out(signal)
        finally:
            stop_listening()
        return context, error, also

    def _context(self, cursor: int, signal: Signal) -> CaseContext:
        slug = f"{slug_of(self.case.name)}-{uuid.uuid4().hex[:8]}"
        services, seen = self.environment.services, self.environment.seen
        ports = {name: [urlsplit(url).port or 0 for url in services.urls(name)] for name in services.names()}
        names = engine_names(self.scenario, seen, ports, self.options.cache)
        names["case"] = {"id": slug, "name": self.case.name}
        context = CaseContext(
            scenario=self.scenario,
            case=self.case,
            id=self.name,
            slug=slug,
            environment=self.environment,
            clients=self.clients,
            ledger=Ledger(self.environment.ledger, cursor),
            signal=signal,
            deadline=Deadline(self.scenario.timeout(self.case)),
            names=names,
            secrets=secrets_of(seen),
            update_snapshots=self.options.update_snapshots,
        )
        _, context.log_cursor = services.logs(1 << 62)
        _, context.exit_cursor = services.exits(1 << 62)
        return context

    def _define_names(self, context: CaseContext) -> None:
        folder = self.scenario.path.parent
        variables = file_variables(self.scenario, context.names)
        context.names |= variables
        context.file_names = dict(context.names)
        for secret in self.scenario.header.secrets:
            context.secret(str(variables[secret]))
        context.names |= resolve(dict(self.case.row), context.scope(folder))
        for key, raw in self.case.header.vars.items():
            context.names[key] = resolve(raw, context.scope(folder))


def _hear_out(signal: Signal) -> None:
    """Let services finish what they are saying: a traceback is often logged right after the answer that failed a step."""
    deadline = Deadline(LONGEST_WORDS)
    while not deadline.passed and signal.wait(signal.count, SILENCE):
        pass


def _steps(context: CaseContext, emit: Callable[[Event], None]) -> tuple[StepFailed | None, list[str]]:
    """Run background, steps and `finally`; return what failed, and what else was wrong."""
    stepper = Stepper(context, emit)
    error: StepFailed | None = None
    also: list[str] = []
    context.scaler.begin()
    try:
        stepper.run_all((*context.scenario.background, *context.case.steps))
    except StepFailed as failed:
        error = failed
    also += context.scaler.end()
    _let_recover(context)
    also += context.crashes.unmet()
    if context.scenario.finally_:
        context.deadline = Deadline(max(context.deadline.left, 10.0))
    for step in context.scenario.finally_:
        try:
            stepper.run(step)
        except StepFailed as failed:
            also.append(f'finally "{title(step)}": {failed}')
    if error is None:
        also += broken(context)
    elif (gone := context.unexpected_exit()) and "no_service_exit" not in context.case.header.allow:
        also.append(gone)
    return error, also


def _let_recover(context: CaseContext) -> None:
    """End what the case has begun: what must hold at its end must hold of a system that was left to recover.

    What services stand on comes first: a crashed service needs it to start again, and the emulator is told of the end of faults.
    """
    if context.scenario.ends_dependencies():
        context.environment.dependencies.revive()
        context.stopped &= {*context.scenario.header.services}
    context.crashes.end()
    if "faults" in context.scenario.requires(context.case):
        context.environment.faults.end()


def _record(context: CaseContext) -> Record:
    context.ledger.refresh()
    lines, _ = context.environment.services.logs(context.log_cursor)
    exits, _ = context.environment.services.exits(context.exit_cursor)
    struck = [Moment(event.at, event.target, event.text) for event in context.environment.faults.events()]
    real = context.environment.clock.real  # the ledger goes by the clock of the stack, everything else by the machine's
    return Record(
        (*context.moments, *struck),
        tuple(replace(entry, at=real(entry.at)) for entry in context.ledger.entries),
        tuple(lines),
        tuple(exits),
        context.started_at,
        frozenset(context.secrets),
    )


def _failure(context: CaseContext, error: StepFailed | None, also: list[str], record: Record) -> Failure:
    rows = tuple(timeline(record.moments, record.entries, record.lines, record.exits))
    cause = likely_cause(record.entries, record.lines, record.exits)
    root = context.scenario.root
    if error is None:
        span = context.scenario.document.key_span(context.case.path)
        where = f"{context.scenario.path.relative_to(root)}:{span.line}:{span.column}"
        return Failure(
            also[0],
            "at the end of the case",
            where,
            timeline=rows,
            started_at=record.started_at,
            likely_cause=cause,
            also=tuple(also[1:]),
        )
    step = error.step
    at = error.at or ((*step.expect_path, *error.mismatches[0].source) if error.mismatches else step.path)
    location = locate(step, at, root)
    return Failure(
        error.headline,
        title(step),
        location.where,
        location.excerpt,
        error.mismatches,
        error.notes,
        rows,
        record.started_at,
        cause,
        tuple(also),
    )


def _redacted(failure: Failure, redact: Redactor) -> Failure:
    return replace(
        failure,
        headline=redact(failure.headline),
        mismatches=tuple(
            Mismatch(redact(m.path), redact(m.expected), redact(m.actual), m.source) for m in failure.mismatches
        ),
        notes=tuple(map(redact, failure.notes)),
        timeline=tuple(Moment(m.at, m.actor, redact(m.text), m.alarming) for m in failure.timeline),
        likely_cause=redact(failure.likely_cause),
        also=tuple(map(redact, failure.also)),
    )
