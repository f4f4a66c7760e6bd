"""Runs one case on its environment: reset, background, steps, `finally`, invariants."""

from __future__ import annotations

import contextlib
import time
import traceback
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from peeklock.engine import alerting
from peeklock.engine.access import refused_access
from peeklock.engine.budget import begin_budget, over_budget
from peeklock.engine.clients import Clients
from peeklock.engine.clipping import clipped_json
from peeklock.engine.context import CaseContext, Story, slug_of
from peeklock.engine.diagnosis import hint, likely_cause
from peeklock.engine.environments import case_variables, engine_names, file_variables, secrets_of
from peeklock.engine.events import CaseFinished, CaseStarted, Durations, Event, Outcome
from peeklock.engine.failure import Failure, Moment, StepFailed, locate, title
from peeklock.engine.invariants import broken, held
from peeklock.engine.ledger import Ledger
from peeklock.engine.listing import listings
from peeklock.engine.log_gaps import log_gaps
from peeklock.engine.names import Names
from peeklock.engine.operations import contract_uses
from peeklock.engine.record import Exchange, Record, ScaledService
from peeklock.engine.stepping import Stepper
from peeklock.engine.timeline import moment_of, timeline
from peeklock.engine.tracing import span_trouble
from peeklock.engine.unanswered import outside_contracts, unanswered
from peeklock.engine.waiting import Deadline, Signal
from peeklock.errors import PeeklockError
from peeklock.redaction import RedactedError, Redactor
from peeklock.scenario.matchers import Mismatch
from peeklock.scenario.model import Case, Scenario
from peeklock.scenario.values import resolve
from peeklock.stack.backend import Environment, Transactions
from peeklock.standins import Entry as JournalEntry
from peeklock.telemetry import service_of

SILENCE = 0.15
"""Seconds without a word after which services are taken to have said all about a failure."""
LAST_OF_ABANDONED = 30.0
"""Seconds that a step which was given up has to come to its end, before its environment is used no more."""
LONGEST_ACTUAL = 32 << 10
"""Characters of what a failure shows of a value that did not match."""
LONGEST_WORDS = 0.6
"""Seconds after which nobody is listened to any more."""


class Observer(Protocol):
    """Who looks at cases without being one of their steps."""

    def begin(self, context: CaseContext) -> None:
        """A case begins with its own steps, after those of its background."""

    def acted(self, context: CaseContext) -> None:
        """Its steps are over, also by a failure; faults and crash points that they have set are still there."""

    def end(self, context: CaseContext) -> None:
        """All that its steps have disturbed has ended; `finally` and the invariants come next."""


@dataclass(frozen=True)
class CaseOptions:
    """What the one who runs cases may choose."""

    update_snapshots: bool = False
    cache: Path = field(default_factory=Path)
    """Where tools and models are cached: `${project.cache}`."""
    observer: Observer | None = None
    relayed: bool = False
    """Put the relay between services and what they reach, though no step of the file asks for it."""


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
        """Run the case to its end. What says nothing about the case (the stack has gone, something unforeseen) is an `error`."""
        self.emit(CaseStarted(time.time(), self.name))
        started = time.monotonic()
        signal = Signal()
        stop_listening = self.environment.on_change(signal.wake)
        context: CaseContext | None = None
        try:
            cursor = self._reset()
            context = self._context(cursor, signal)
            setup = time.monotonic() - started
            error, also = self._act(context)
            if error or also:
                self.environment.check()
            record = _record(context)
        except Exception as trouble:  # noqa: BLE001  the run goes on, whatever it is
            return self._not_judged(trouble, time.monotonic() - started, context)
        finally:
            stop_listening()
            self._await_abandoned(context)
        total = time.monotonic() - started
        durations = Durations(setup, context.spent.waiting, max(0.0, total - setup - context.spent.waiting))
        failure = None
        if error or also:
            failure = _redacted(_failure(context, error, also, record), Redactor(context.secrets))
        outcome: Outcome = "failed" if failure else "passed"
        return CaseFinished(
            time.time(),
            self.name,
            outcome,
            durations,
            failure=failure,
            covers=self._covers,
            tags=self._tags,
            record=record,
        )

    @property
    def _tags(self) -> tuple[str, ...]:
        return tuple(self.scenario.tags(self.case))

    @property
    def _covers(self) -> tuple[str, ...]:
        return tuple(self.scenario.covers(self.case))

    def _not_judged(self, trouble: Exception, seconds: float, context: CaseContext | None) -> CaseFinished:
        record = None
        if context is not None:
            with contextlib.suppress(Exception):  # what can still be had of what was seen
                record = _record(context)
        redact = Redactor(context.secrets if context is not None else ())
        return CaseFinished(
            time.time(),
            self.name,
            "error",
            Durations(setup=seconds),
            reason=redact(told(trouble)),
            covers=self._covers,
            tags=self._tags,
            traceback=""
            if isinstance(trouble, RedactedError)
            else redact("".join(traceback.format_exception(trouble))),
            record=record,
        )

    def _await_abandoned(self, context: CaseContext | None) -> None:
        """Let what was given up come to its end before anybody else uses the environment; if it does not, nobody will."""
        deadline = Deadline(LAST_OF_ABANDONED)
        if context is not None and not all(call.ended(deadline.left) for call in context.abandoned):
            self.environment.condemn()

    @cached_property
    def _facts(self) -> dict[str, str]:
        return {"id": f"{slug_of(self.case.name)}-{uuid.uuid4().hex[:8]}", "name": self.case.name}

    def _reset(self) -> int:
        told = case_variables(self.scenario, self.case, self._facts, self.options.cache)
        self.environment.services.tell(told)
        if self.case.header.isolation == "fresh":
            for service in self.environment.services.names():
                self.environment.services.stop(service)
        return self.environment.reset(self.scenario.starts_at(self.case))

    def _act(self, context: CaseContext) -> tuple[StepFailed | None, list[str]]:
        try:
            self._define_names(context)
        except RedactedError:
            raise
        except PeeklockError as wrong:
            return None, [f"{wrong.problem} {wrong.fix}".strip()]
        error, also = _steps(context, self.emit, self.options.observer)
        if error or also:
            _hear_out(context.signal)
        return error, also

    def _context(self, cursor: int, signal: Signal) -> CaseContext:
        services, seen = self.environment.services, self.environment.seen
        ports = {name: [urlsplit(url).port or 0 for url in services.urls(name)] for name in services.names()}
        names = engine_names(self.scenario, seen, ports, self.options.cache)
        names["case"] = self._facts
        context = CaseContext(
            scenario=self.scenario,
            case=self.case,
            id=self.name,
            slug=self._facts["id"],
            environment=self.environment,
            clients=self.clients,
            ledger=Ledger(self.environment.ledger, cursor),
            signal=signal,
            deadline=Deadline(self.scenario.timeout(self.case)),
            names=Names(names, self.scenario.path.parent, self.environment.clock.now, self.name),
            secrets=secrets_of(seen),
            update_snapshots=self.options.update_snapshots,
            story=Story(tell=self.emit),
        )
        if made := self.environment.made_at_start:
            context.note("services", f"restarted: {made}")
        _, context.log_cursor = services.logs(1 << 62, late=True)  # no line of the case before is this one's
        _, context.exit_cursor = services.exits(1 << 62)
        return context

    def _define_names(self, context: CaseContext) -> None:
        folder = self.scenario.path.parent
        variables = file_variables(self.scenario, context.names.visible())
        context.names.define_file(variables)
        context.secrets |= {str(variables[secret]) for secret in self.scenario.header.secrets} - {""}
        for key, value in resolve(dict(self.case.row), context.names.scope(folder)).items():
            context.names[key] = value
        for key, raw in self.case.header.vars.items():
            context.names[key] = resolve(raw, context.names.scope(folder))


def told(trouble: Exception) -> str:
    """Return an exception as a reason: the whole text of one that was raised on purpose, the kind of any other."""
    return str(trouble) if isinstance(trouble, PeeklockError) else f"an unforeseen {type(trouble).__name__}: {trouble}"


def _hear_out(signal: Signal) -> None:
    """Let services finish what they are saying: a traceback is often logged right after the answer that failed a step."""
    deadline = Deadline(LONGEST_WORDS)
    while not deadline.passed and signal.wait(signal.count, SILENCE):
        pass


def _steps(
    context: CaseContext, emit: Callable[[Event], None], observer: Observer | None
) -> tuple[StepFailed | None, list[str]]:
    """Run background, steps and `finally`; return what failed, and what else was wrong."""
    stepper = Stepper(context, emit)
    error: StepFailed | None = None
    also: list[str] = []
    begin_budget(context)
    context.scaler.begin()
    try:
        stepper.run_all(context.scenario.background)
        if observer is not None:
            observer.begin(context)
        stepper.run_all(context.case.steps)
    except StepFailed as failed:
        error = failed
    except BaseException:
        context.scaler.end()
        context.crashes.end()
        raise
    if observer is not None:
        observer.acted(context)
    also += context.scaler.end()
    _let_recover(context)
    if observer is not None:
        observer.end(context)
    also += context.crashes.unmet()
    also += unanswered(context.environment)
    if context.scenario.finally_:
        context.deadline = Deadline(max(context.deadline.left, 10.0))
    for step in context.scenario.finally_:
        try:
            stepper.run(step)
        except StepFailed as failed:
            also.append(f'finally "{title(step)}": {failed}')
    if error is None:
        also += broken(context)
        also += over_budget(context)
        return error, also
    if "contracts_hold" in held(context):  # what broke a contract is often what failed the step
        also += [f"contracts_hold: {each}" for each in outside_contracts(context.environment)[:3]]
    if (gone := context.unexpected_exit()) and "no_service_exit" not in context.case.header.allow:
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
    faults = context.environment.faults.events()
    struck = [Moment(event.at, event.target, event.text) for event in faults]
    journals = {name: standin.journal.entries() for name, standin in context.environment.standins.items()}
    asked = [
        Moment(entry.at, name, entry.summary, bool(entry.problem)) for name, each in journals.items() for entry in each
    ]
    exchanges = [_exchange(name, entry) for name, each in journals.items() for entry in each]
    telemetry = context.environment.telemetry
    spans = telemetry.spans() if telemetry is not None else []
    broke = [
        Moment(
            context.environment.clock.real(span.end),
            service_of(span.service),
            f"span {span.name}: {span_trouble(span)}",
            True,
        )
        for span in spans
        if span.status == "error"
    ]
    servicebus = context.scenario.header.stack.servicebus
    transactions = _transactions(context)
    real = context.environment.clock.real  # the ledger goes by the clock of the stack, everything else by the machine's
    return Record(
        (*context.story.moments, *struck, *asked, *broke, *map(moment_of, transactions.seen)),
        tuple(replace(entry, at=real(entry.at)) for entry in context.ledger.entries),
        tuple(lines),
        tuple(exits),
        context.started_at,
        frozenset(context.secrets),
        alerting.record(context),
        tuple(context.story.steps),
        listings(context.scenario, context.case),
        (*context.story.exchanges.all(), *exchanges),
        tuple(faults),
        servicebus.receivable() if servicebus is not None else {},
        tuple(replace(span, start=real(span.start), end=real(span.end)) for span in spans),
        tuple(ScaledService(name, rule, context.scaler.facts(name)) for name, rule in context.scaler.begun()),
        transactions,
        contract_uses(context.scenario, context.environment.standins),
        log_gaps(context.scenario.header.services, context.environment.log_dir),
        _moves(context),
    )


def _transactions(context: CaseContext) -> Transactions:
    """Return those of the case; that none can be seen is told only where they were asked for."""
    found = context.environment.faults.transactions()
    postgres = context.scenario.header.stack.postgres
    asked = found.seen or (postgres is not None and postgres.transactions)
    own = [each for each in found.seen if each.ended >= context.started_at]
    return Transactions(own, found.unseen if asked else ())


def _moves(context: CaseContext) -> tuple[tuple[float, float], ...]:
    clock, began = context.environment.clock, context.started_at
    at_first = clock.shown(began) - began
    return tuple((at, ahead - at_first) for at, ahead in clock.moved() if at > began)


def _exchange(standin: str, entry: JournalEntry) -> Exchange:
    caller = str(entry.view.get("caller") or "")
    began = entry.at - (entry.seconds or 0.0)
    return Exchange(began, entry.seconds, caller, standin, entry.summary, bool(entry.problem), entry.view)


def _failure(context: CaseContext, error: StepFailed | None, also: list[str], record: Record) -> Failure:
    rows = tuple(timeline(record.moments, record.entries, record.lines, record.exits))
    services = context.scenario.header.services
    jobs = {name for name, each in services.items() if each.scale is not None and each.scale.job is not None}
    exits = [each for each in record.exits if each.code != 0 or each.service not in jobs]
    found = refused_access(context) or likely_cause(record.entries, record.lines, exits, context.case.header.allow)
    cause = "; ".join([*context.scaler.blind, *([found] if found else [])])
    told = " ".join([cause, *(line.text for line in record.lines), *(str(error or ""), *also)])
    if advice := hint(told):
        cause = f"{cause}; {advice}" if cause else advice
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
        "" if error.actual is None else clipped_json(error.actual, LONGEST_ACTUAL, Redactor(context.secrets)),
        error.notes,
        error.story or rows,
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
