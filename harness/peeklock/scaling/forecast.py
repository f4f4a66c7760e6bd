"""What a rule would have done with a recorded load, look by look."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from peeklock.scaling.deployment import State, plan
from peeklock.scaling.job import executions
from peeklock.scaling.load import Load
from peeklock.scenario.services import Scale


@dataclass(frozen=True, slots=True)
class Row:
    """One look: seconds from the beginning, messages, replicas (or executions that run) after it, and why."""

    at: float
    count: int
    replicas: int
    why: str


def forecast(rule: Scale, load: Load, takes: float = 0.0) -> Iterator[Row]:
    """Yield a row for each look, until the load has ended and its replicas have gone (or are as few as ever).

    The load is as it was recorded: it does not change with the replicas. `takes`: seconds that an execution of a job lasts.
    """
    if rule.job is not None:
        yield from _job(rule, load, takes or rule.job.timeout)
        return
    state, at = State(rule.min), 0.0
    while True:
        count = load.at(at)
        decision = plan(rule, at, count, state)
        state = decision.state
        yield Row(at, count, state.replicas, decision.why)
        if at >= load.lasts and (count > rule.activation or state.replicas <= rule.min):
            return
        at += rule.polling


def _job(rule: Scale, load: Load, takes: float) -> Iterator[Row]:
    ends: list[float] = []
    at = 0.0
    while True:
        ends = [end for end in ends if end > at]
        count = load.at(at)
        more = executions(rule, count, len(ends))
        yield Row(at, count, len(ends) + more, f"{more} begun" if more else "none begun")
        ends += [at + takes] * more
        if at >= load.lasts and (count > rule.activation or not ends):
            return
        at += rule.polling
