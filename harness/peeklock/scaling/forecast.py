"""What a rule would have done with a recorded load, look by look."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from peeklock.scaling.deployment import State, plan
from peeklock.scaling.job import executions
from peeklock.scaling.load import Load
from peeklock.scenario.services import Scale


@dataclass(frozen=True, slots=True)
class Row:
    """One look: seconds from the beginning, messages by queue, replicas (or executions that run) after it, and why."""

    at: float
    counts: tuple[int, ...]
    replicas: int
    why: str


def forecast(rule: Scale, loads: Sequence[Load], takes: float = 0.0, blind: Sequence[bool] = ()) -> Iterator[Row]:
    """Yield a row for each look, until the loads have ended and their replicas have gone (or are as few as ever).

    `loads`: one for each queue of the rule, as recorded: they do not change with the replicas. `takes`: seconds that an
    execution of a job lasts. `blind`: for each queue whether the scaler cannot see it; absent: it sees all of them.
    """
    step = _Executions(rule, takes) if rule.job is not None else _Replicas(rule)
    lasts, at = max(load.lasts for load in loads), 0.0
    hidden = list(blind) or [False] * len(loads)
    while True:
        counts = tuple(load.at(at) for load in loads)
        seen = [None if unseen else count for count, unseen in zip(counts, hidden, strict=True)]
        replicas, why = step.look(at, seen)
        yield Row(at, counts, replicas, why)
        is_busy = any(
            count is not None and count > queue.activation for queue, count in zip(rule.queues, seen, strict=True)
        )
        if at >= lasts and (is_busy or any(hidden) or replicas <= step.least):
            return
        at += rule.polling


class _Replicas:
    def __init__(self, rule: Scale) -> None:
        self._rule, self.least, self._state = rule, rule.min, State(rule.min)

    def look(self, at: float, counts: Sequence[int | None]) -> tuple[int, str]:
        decision = plan(self._rule, at, counts, self._state)
        self._state = decision.state
        return decision.state.replicas, decision.why


class _Executions:
    least = 0

    def __init__(self, rule: Scale, takes: float) -> None:
        assert rule.job is not None
        self._rule, self._takes = rule, takes or rule.job.timeout
        self._ends: list[float] = []

    def look(self, at: float, counts: Sequence[int | None]) -> tuple[int, str]:
        self._ends = [end for end in self._ends if end > at]
        more = executions(self._rule, counts, len(self._ends))
        self._ends += [at + self._takes] * more
        return len(self._ends), f"{more} begun" if more else "none begun"
