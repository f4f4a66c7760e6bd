"""Which files of a plan one of several machines runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from peeklock.engine.pace import USUAL, USUAL_ALONE, usual
from peeklock.engine.plan import Plan
from peeklock.engine.session import case_id
from peeklock.engine.shard import Shard, split
from peeklock.scenario.errors import shorten


def shard_of(
    plan: Plan,
    place: tuple[int, int],
    known: Mapping[str, float],
    *,
    source: Path | None = None,
    selection: str = "",
    commit: str = "",
) -> Shard:
    """Return shard `place` (number, count) of a plan, which is split by file: cases of a file share an environment.

    `known`: seconds by case, as they stand in `source`; never what this machine alone remembers, for all machines have
    to come to the same parts. A case that is not known counts as the average of those that are, or as it usually takes.
    """
    names = {shorten(scenario.path): (scenario, cases) for scenario, cases in plan}
    timed = [seconds for each in plan for case in each[1] if (seconds := known.get(case_id(each[0], case))) is not None]
    average = sum(sorted(timed)) / len(timed) if timed else 0.0
    milliseconds = {
        name: sum(round(1000 * known.get(case_id(scenario, case), max(average, usual(scenario)))) for case in cases)
        for name, (scenario, cases) in names.items()
    }
    index, count = place
    parts = split(milliseconds, count)
    return Shard(
        index,
        tuple(tuple((name, len(names[name][1])) for name in part) for part in parts),
        _weighed_by(source, len(timed), sum(len(cases) for _, cases in plan)),
        selection,
        commit,
    )


def only(plan: Plan, shard: Shard) -> Plan:
    """Return the files of a shard, in the order of the plan."""
    files = dict(shard.files)
    return [each for each in plan if shorten(each[0].path) in files]


def _weighed_by(source: Path | None, timed: int, cases: int) -> str:
    if source is None:
        return (
            f"number of cases ({USUAL:g} s each, {USUAL_ALONE:g} s on a stack of their own): no --durations were given"
        )
    return f"durations of {shorten(source)} ({timed} of {cases} cases are in it)"
