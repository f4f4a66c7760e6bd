"""The search: records a case, disturbs each of its moments, and tells what it finds as it goes."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from peeklock.engine.failure import Failure
from peeklock.errors import PeeklockError
from peeklock.explore.crew import Crew
from peeklock.explore.disturbances import disturbances
from peeklock.explore.events import REPEATED, Deeper, Event, Explored, Finding, Known, Recorded, Tried, Wanted
from peeklock.explore.judge import Judge
from peeklock.explore.kind import Disturbance
from peeklock.explore.locks import written
from peeklock.explore.moments import Moment, commit_moments, common, message_moments, request_moments
from peeklock.explore.shrink import shrink
from peeklock.explore.trial import Ended, Trial, rejudged
from peeklock.explore.written import write
from peeklock.scenario.topology import ServiceBus

UNDISTURBED = 3
"""Runs that are compared to know what is noise; the last one with slow answers."""
_LONGEST_LATE = 10.0
"""Seconds of a lock up to which it is waited out by late answers."""
_SLOW = "150ms"


class CaseDoesNotPass(PeeklockError):
    """Only a case that passes can be explored."""


@dataclass
class Search:
    """Explores one case."""

    trials: Crew
    wanted: Wanted
    known: Known = field(default_factory=Known)
    """From before: this is not run again."""
    _started: float = field(default_factory=time.monotonic)
    _total: int = 0
    _tried: list[Tried] = field(default_factory=list)
    _findings: dict[str, Finding] = field(default_factory=dict)
    _plan: Recorded | None = None
    _ends: list[Ended] = field(default_factory=list)
    """Of undisturbed runs."""
    _judge: Judge = field(init=False)
    _seconds: float = 0.0
    """Of an undisturbed run."""

    def events(self) -> Iterator[Event]:
        """Explore, and yield what happens. Raises `PeeklockError`."""
        whole = self.trials.whole()
        if whole.outcome != "passed":
            why = whole.reason or (_why(whole.failure) if whole.failure is not None else whole.outcome)
            raise CaseDoesNotPass(
                "the case does not pass undisturbed", actual=why, fix="mend it first: see `peeklock run`"
            )
        self._ends = self._undisturbed()
        self._judge = self._learned()
        self._plan = recorded = self._recorded()
        yield recorded
        yield from self._disturbed(recorded.disturbances)
        if self.wanted.depth > 1 and not self._is_over:
            pairs = self._pairs()
            yield Deeper(len(pairs))
            yield from self._disturbed(pairs)

    def _disturbed(self, every: Sequence[Disturbance]) -> Iterator[Event]:
        self._total += len(every)
        yield from self._again(every)
        new = [] if self._is_over else [each for each in every if self.known.trial(each) is None]
        for disturbance, run in self.trials.each(self._in_time(new), lambda: self._judge):
            # what was run ahead was judged by what was known then
            trial = rejudged(run, self._judge)
            if trial.verdict == "different" and self._is_unknown(trial):
                trial = self._judged_anew(trial)
            yield self._note(disturbance, trial)
            if trial.verdict == "different" and self._is_unknown(trial):
                finding = self._findings[trial.signature] = self._finding(disturbance, trial)
                yield finding
                if self._is_over:
                    return

    def _again(self, every: Sequence[Disturbance]) -> Iterator[Event]:
        """Tell of what is known from before."""
        for disturbance in every:
            if (before := self.known.trial(disturbance)) is not None:
                yield self._note(disturbance, before)
                if (finding := self.known.finding(disturbance, before)) is not None:
                    self._findings[before.signature] = finding
                    yield finding

    def _note(self, disturbance: Disturbance, trial: Trial) -> Tried:
        self._tried.append(Tried(len(self._tried) + 1, self._total, disturbance, trial))
        return self._tried[-1]

    @property
    def _is_over(self) -> bool:
        return self.wanted.first and any(not each.flaky for each in self._findings.values())

    def _pairs(self) -> list[Disturbance]:
        """Return two at a time of those that were borne alone: what they find needs both."""
        borne = [each.disturbance for each in self._tried if each.trial.verdict == "same"]
        pairs = [one + other for one, other in itertools.combinations_with_replacement(borne, 2)]
        return self._ordered(pairs)

    def _ordered(self, every: list[Disturbance]) -> list[Disturbance]:
        random.Random(self.wanted.seed).shuffle(every)
        return sorted(every, key=lambda each: each.rank)

    def explored(self) -> Explored:
        """Return what is known by now."""
        left = self._total - len(self._tried)
        seconds = time.monotonic() - self._started
        return Explored(self._plan, tuple(self._tried), tuple(self._findings.values()), left, seconds)

    @property
    def _ignored(self) -> Sequence[str]:
        return self.trials.scenario.header.explore.ignore

    def _undisturbed(self) -> list[Ended]:
        found = [self.trials.undisturbed() for _ in range(UNDISTURBED - 1)]
        asked = found[0].ended.requests if found[0].ended is not None else ()
        slowed = [
            {"fault": {"on": target, "latency": _SLOW}} for target in dict.fromkeys(each.target for each in asked)
        ]
        found.append(self.trials.undisturbed(slowed=slowed))
        for each in found:
            if each.ended is None or each.reason:
                fix = "every step that does something must pass whatever time it takes, and messages come to rest"
                raise CaseDoesNotPass("the case cannot be explored", actual=each.reason, fix=fix)
        self._seconds = min(each.seconds for each in found)
        return [each.ended for each in found if each.ended is not None]

    def _in_time(self, every: Iterable[Disturbance]) -> Iterator[Disturbance]:
        """Yield disturbances until there is no time for more."""
        budget = self.wanted.budget
        for each in every:
            if budget is not None and time.monotonic() - self._started > budget:
                return
            yield each

    def _learned(self) -> Judge:
        return Judge([each.facts for each in self._ends], self._ignored)

    def _is_unknown(self, trial: Trial) -> bool:
        known = self._findings.get(trial.signature)
        return known is None or known.flaky

    def _judged_anew(self, trial: Trial) -> Trial:
        """Run the case undisturbed once more: what differs now as well, as the hour in a name, is noise that had not shown."""
        again = self.trials.undisturbed().ended
        if again is None or not self._judge.differences(again.facts):
            return trial
        self._ends.append(again)
        self._judge = self._learned()
        return rejudged(trial, self._judge)

    def _recorded(self) -> Recorded:
        services = [*self.trials.scenario.header.services]
        every: list[Moment] = [*common([[*message_moments(end.entries, services)] for end in self._ends])]
        every += request_moments([end.requests for end in self._ends])
        every += common([[*commit_moments(end.transactions.seen, services)] for end in self._ends])
        every = [moment for moment in every if not self.wanted.only or moment.who in self.wanted.only]
        chosen = self._ordered(list(disturbances(every, self._late)))
        untried = ["broken connections", "clocks that jump"]
        if self.trials.scenario.header.stack.postgres is not None:
            untried += self._ends[0].transactions.unseen
        if self._late is None:
            untried.append(f"what is slower than a lock (none is as short as {_LONGEST_LATE:g} s)")
        return Recorded(tuple(every), tuple(chosen), self._seconds, tuple(self._judge.unsteady), tuple(untried))

    @property
    def _late(self) -> float | None:
        bus = self.trials.scenario.header.stack.servicebus or ServiceBus()
        locks = [queue.lock_duration for queue in bus.receivable().values()]
        return min(locks) + 1.0 if locks and min(locks) <= _LONGEST_LATE else None

    def _finding(self, disturbance: Disturbance, trial: Trial) -> Finding:
        again = [self.trials.disturbed(disturbance, self._judge) for _ in range(REPEATED - 1)]
        repeated = 1 + sum(each.signature == trial.signature for each in again)
        if repeated < REPEATED:
            return Finding(disturbance, trial, repeated)
        shrunk = shrink(self.trials, disturbance, trial, self._judge, self._ignored)
        file = None
        if self.wanted.write and (shrunk.asked or any(each.place == "rule" for each in trial.differences)):
            stack = written(self.trials.scenario, self.trials.as_written)
            file = write(self.trials.as_written, self.trials.case, shrunk, disturbance, stack)
        return Finding(disturbance, trial, repeated, shrunk, file)


def _why(failure: Failure) -> str:
    wrong = failure.headline or next(
        (f"{each.path} {each.actual}, expected {each.expected}" for each in failure.mismatches), ""
    )
    return f'step "{failure.step}": {wrong}'
