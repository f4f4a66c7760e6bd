"""One run of a case as it is explored, and what is known of it afterwards."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from peeklock.engine.case import CaseOptions
from peeklock.engine.context import CaseContext
from peeklock.engine.effects import nothing_doubled, nothing_lost
from peeklock.engine.events import CaseFinished, Event
from peeklock.engine.failure import Failure
from peeklock.engine.session import Session
from peeklock.engine.snapshot import Fact, snapshot
from peeklock.explore.disturbances import Late
from peeklock.explore.judge import LOCK_LOST, Difference, Judge
from peeklock.explore.kind import Disturbance
from peeklock.explore.recovery import LONG, PATIENCE, SHORT, Recovery
from peeklock.explore.variant import Raw, acts, anew, variant
from peeklock.scenario.model import Case, Scenario
from peeklock.servicebus.ledger import Entry, EventKind
from peeklock.stack.backend import RelayedRequest, Transactions

Verdict = Literal["same", "different", "not_reached", "could_not"]
"""`not_reached`: the moment did not come again; `could_not`: nothing can be said of the system."""
CONFIRMED = 0.8
"""Seconds without a word that confirm a good end where a message was delivered more than once."""
RULES = {"nothing_lost": nothing_lost, "nothing_doubled": nothing_doubled}
"""Invariants about the end; all others are about the way to it."""
_STRIKING = ("deliver_twice", "drop_settlement", "server_busy")


@dataclass(frozen=True)
class Ended:
    """How a run ended."""

    facts: Sequence[Fact]
    entries: Sequence[Entry]
    """Of the ledger, since the case's own steps began."""
    requests: Sequence[RelayedRequest]
    """Since then, too."""
    differences: Sequence[Difference]
    rested: bool
    struck: int
    """How many things went wrong that were asked for."""
    transactions: Transactions = field(default_factory=Transactions)
    """Those that ended since then."""


@dataclass(frozen=True)
class Trial:
    """One run and its verdict."""

    verdict: Verdict
    seconds: float
    ended: Ended | None = None
    reason: str = ""
    """Why nothing can be said."""

    @property
    def differences(self) -> tuple[Difference, ...]:
        """In what it ended otherwise than undisturbed."""
        return tuple(self.ended.differences) if self.ended is not None and self.verdict == "different" else ()

    @property
    def signature(self) -> str:
        """What the same finding has in common wherever it is found."""
        return "; ".join(sorted({each.signature for each in self.differences}))


@dataclass
class Watcher:
    """Implements `engine.case.Observer`: leaves the system alone until it has come to rest, and looks at what is there."""

    judge: Judge | None = None
    """None for undisturbed runs, which others are compared with."""
    rules: Sequence[str] = ()
    """Those of `RULES` that the file has in `always`."""
    slow: bool = False
    """Whether an answer is late: nobody may lose a lock by that."""
    patience: float = PATIENCE
    """Seconds that a disturbed system has to come to rest; an undisturbed one has at least what is usual."""
    stopped: threading.Event = field(default_factory=threading.Event)
    """Set when nobody wants to know the end any more."""
    ended: Ended | None = None
    _first: int = 0
    _asked: int = 0
    _began: float = 0.0
    _recovery: Recovery = field(init=False)

    def begin(self, context: CaseContext) -> None:
        context.ledger.refresh()
        self._first = len(context.ledger.entries)
        self._asked = len(context.environment.faults.requests())
        self._began = time.time()

    def acted(self, context: CaseContext) -> None:
        patience = max(self.patience, PATIENCE) if self.judge is None else self.patience
        self._recovery = Recovery(context, patience, self.stopped)
        self._recovery.until_rest(SHORT)

    def end(self, context: CaseContext) -> None:
        rested = self._recovery.until_rest(LONG if self.judge is None else SHORT)
        facts = snapshot(context)
        if self.judge is not None:
            facts, rested = self._patiently(context, self.judge, facts, rested=rested)
        context.ledger.refresh()
        entries = context.ledger.entries
        self.ended = Ended(
            facts,
            entries[self._first :],
            context.environment.faults.requests()[self._asked :],
            self._differences(context, facts),
            rested,
            _strikes(context),
            self._transactions(context),
        )

    def _transactions(self, context: CaseContext) -> Transactions:
        found = context.environment.faults.transactions()
        return replace(found, seen=[each for each in found.seen if each.ended >= self._began])

    def _patiently(
        self, context: CaseContext, judge: Judge, facts: list[Fact], *, rested: bool
    ) -> tuple[list[Fact], bool]:
        """Give a system that does not look as it should its time, and one that does the time to spoil it."""
        recovery = self._recovery
        while judge.differences(facts) and recovery.calm_for < LONG and not recovery.over:
            recovery.until_something(LONG)
            rested = recovery.until_rest(SHORT)
            facts = snapshot(context)
        if _delivered_again(context.ledger.entries):
            rested = recovery.until_rest(CONFIRMED)
            facts = snapshot(context)
        return facts, rested

    def _differences(self, context: CaseContext, facts: Sequence[Fact]) -> list[Difference]:
        if self.judge is None or (found := self.judge.differences(facts)):
            return [] if self.judge is None else found
        if self.slow:
            expired = {entry.entity for entry in context.ledger.entries if entry.event is EventKind.LOCK_EXPIRED}
            if expired:
                return [Difference(f"queue {name}", LOCK_LOST) for name in sorted(expired)]
        return [Difference("rule", f"{name}: {text}") for name in self.rules for text in RULES[name](context)]


@dataclass
class Trials:
    """Runs one case in its variants, one at a time, on an environment that they share."""

    session: Session
    scenario: Scenario
    case: Case
    watcher: Watcher
    as_written: Scenario
    """As its file has it, where `scenario` is changed for being explored."""
    _spoilt: bool = False
    """Whether the last run may have left services behind that hang, or never stop talking."""

    def whole(self) -> CaseFinished:
        """Run the case as it is written."""
        return self.session.run(self.scenario, self.case)

    def undisturbed(self, kept: Sequence[int] | None = None, slowed: Sequence[Raw] = ()) -> Trial:
        """Run it as others are to be compared with; `slowed`: faults that no system is to feel."""
        return self._run(slowed, None, kept, slow=False)

    def disturbed(self, by: Disturbance, judge: Judge, kept: Sequence[int] | None = None) -> Trial:
        """Run it with what goes wrong."""
        return self._run(by.steps, judge, kept, slow=Late.word in by.kinds)

    def _run(self, first: Sequence[Raw], judge: Judge | None, kept: Sequence[int] | None, *, slow: bool) -> Trial:
        self.watcher.rules = [name for name in self.scenario.header.always if name in RULES]
        self.watcher.judge, self.watcher.slow, self.watcher.ended = judge, slow, None
        made = variant(self.scenario, self.case, acts(self.case.steps) if kept is None else kept, first)
        if self._spoilt:
            made = anew(made)
        started = time.monotonic()
        finished = self.session.run(made.scenario, made.case)
        if finished.outcome == "error":
            self.session.discard(self.scenario)
        trial = _judged(finished, self.watcher.ended, None if judge is None else len(first))
        self._spoilt = trial.verdict not in ("same", "not_reached")
        return replace(trial, seconds=time.monotonic() - started)


def rejudged(trial: Trial, judge: Judge) -> Trial:
    """Return a trial that was different by another judge's verdict on the same end."""
    if trial.verdict != "different" or trial.ended is None:
        return trial
    rules = [each for each in trial.ended.differences if each.place == "rule" or each.what == LOCK_LOST]
    found = judge.differences(trial.ended.facts) or rules
    return replace(trial, verdict="different" if found else "same", ended=replace(trial.ended, differences=found))


def session_options(watcher: Watcher, options: CaseOptions) -> CaseOptions:
    """Return the options of a session in which a watcher sees every case."""
    return replace(options, observer=watcher, relayed=True)


def silent(_event: Event) -> None:
    """Hear nothing of the runs of which a search consists."""


def _judged(finished: CaseFinished, ended: Ended | None, disturbing: int | None) -> Trial:
    """Return the verdict; `disturbing`: how many things were to go wrong, None for a run that others are compared with."""
    if ended is None or finished.outcome in ("error", "skipped"):
        return Trial("could_not", 0, ended, finished.reason or "the case did not come to its end")
    failed = _failed_step(finished.failure)
    if disturbing is None:
        reason = failed or ("" if ended.rested else "it does not come to rest in time")
        return Trial("could_not" if reason else "same", 0, ended, reason)
    if ended.struck < disturbing:
        return Trial("not_reached", 0, ended)
    if not ended.differences:
        return Trial("same", 0, ended)
    return Trial("could_not" if failed else "different", 0, ended, failed)


def _failed_step(failure: Failure | None) -> str:
    """Return a sentence about a step of the test that failed; empty where none did."""
    if failure is None or failure.step == "at the end of the case":
        return ""
    return f'the step "{failure.step}" of the test failed with it'


def _delivered_again(entries: Sequence[Entry]) -> bool:
    return any(e.event is EventKind.DELIVERED and e.message is not None and e.message.delivery > 1 for e in entries)


def _strikes(context: CaseContext) -> int:
    """Return how many faults have struck, each of which can do so once, and crash points were reached."""
    entries = (entry.details for entry in context.ledger.entries if entry.event is EventKind.FAULT)
    in_broker = sum(1 for each in entries if each.get("phase") == "strike" and each.get("fault") in _STRIKING)
    # of the relay's faults, only strikes tell more than that one begins or ends; what it holds is for a point
    told = [event.text for event in context.environment.faults.events()]
    relayed = sum(": " in text and not text.startswith("fault hold_") for text in told)
    return context.crashes.reached + in_broker + relayed
