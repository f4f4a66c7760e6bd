"""Runs of shards as one run: what they came to together, and what keeps that from being the whole."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from peeklock.engine.events import CaseFinished, Durations, RunFinished
from peeklock.errors import PeeklockError
from peeklock.reports.html.history import key_of
from peeklock.reports.html.operations import Known
from peeklock.reports.html.record import read_lines, write_cases
from peeklock.reports.shard_run import ShardRun
from peeklock.reports.stored_case import StoredCase, story_of

_MOST_NAMED = 5
_OWN = "peeklock merge"
"""The file of what is told as cases that no shard has run."""

T = TypeVar("T")


class ShardMerge:
    """What several runs come to."""

    def __init__(self, runs: Sequence[ShardRun]) -> None:
        """`runs`: at least one, in any order."""
        self.runs: list[ShardRun] = []
        """By shard, each once; a shard that was run again by time."""
        self.notes: list[str] = []
        """What is worth knowing, and no problem."""
        self._kept: dict[int, dict[int, int]] = {}
        """By run the heads that count, with the number of their repetition."""
        for run in sorted(runs, key=lambda each: (each.shard.count, each.shard.split, each.shard.index, each.at)):
            known = self.runs[-1] if self.runs else None
            if known is not None and (known.shard, known.at, known.facts["run"]) == (
                run.shard,
                run.at,
                run.facts["run"],
            ):
                self.notes.append(f"{run.name} was given twice, as {known.source} and {run.source}: it counts once")
            else:
                self.runs.append(run)
        self._outcomes: dict[str, Counter[str]] = defaultdict(Counter)
        self._count()
        self.problems = [*self._apart(), *self._missing(), *self._doubled()]
        """What keeps it from being a judgement of the whole, a sentence each."""

    @property
    def backend(self) -> str:
        """Return what they ran on."""
        return ", ".join(_distinct(str(run.facts.get("backend", "")) for run in self.runs))

    @property
    def at(self) -> float:
        """Return when the first began."""
        return min(run.at for run in self.runs)

    @property
    def seconds(self) -> float:
        """Return how long the slowest took: they run side by side."""
        return max(run.seconds or 0.0 for run in self.runs)

    @property
    def shards(self) -> str:
        """Return `3 of 4 shards`."""
        wholes = {run.shard.split: run.shard.count for run in self.runs}
        there = len({(run.shard.split, run.shard.index) for run in self.runs})
        return f"{there} of {sum(wholes.values())} shards"

    @property
    def files(self) -> int:
        """Return of how many files there are cases."""
        return len({name.partition("::")[0] for name in self._outcomes})

    @property
    def cases(self) -> int:
        """Return how many cases have a result."""
        return len(self._outcomes)

    def finished(self, name: str) -> RunFinished:
        """Return the last event of a run of that name, without `problems`."""
        every = sum(self._outcomes.values(), Counter[str]())
        spent = [Durations(*head["seconds"]) for run in self.runs for head in run.heads]
        return RunFinished(
            self.at + self.seconds,
            name,
            every["passed"],
            every["failed"],
            every["skipped"],
            every["error"],
            tuple(case for case, seen in self._outcomes.items() if seen["passed"] and seen["failed"]),
            self.seconds,
            sum(spent, Durations()),
            interrupted=any(run.facts.get("interrupted") for run in self._latest()),
            unjudged=max(0, self._planned() - self.cases),
            failed_cases=tuple(case for case, seen in self._outcomes.items() if seen["failed"] or seen["error"]),
        )

    def write(self, folder: Path) -> None:
        """Write the record of it, as if one run had done all. Raises `OSError`."""
        criteria: dict[str, Any] = {}
        contracts: Known = {}
        for run in self.runs:
            criteria |= run.facts["criteria"]
            contracts |= run.contracts
        last = self.finished(folder.name)
        facts = {
            "run": folder.name,
            "at": self.at,
            "backend": self.backend,
            "cases": self._planned(),
            "criteria": criteria,
            "merged": self.shards,
            "problems": self.problems,
        }
        end = {"seconds": round(last.seconds, 3), "interrupted": last.interrupted, "unjudged": last.unjudged}
        write_cases(folder, facts, contracts, (line for _, line in self._lines()), end)

    def events(self) -> Iterator[CaseFinished]:
        """Yield how each case ended, then each problem as a case that could not be judged: no report is green without the whole.

        Raises `PeeklockError` where a story cannot be read.
        """
        for run, line in self._lines():
            told = line["case"]["outcome"] != "passed"
            story = story_of(str(line.get("story", "")), Path(run.source)) if told else {}
            yield _finished(StoredCase(run.folder.name, line["case"], story), run.source)
        for problem in self.problems:
            case = f"{_OWN}::{problem.partition(':')[0]}"
            yield CaseFinished(self.at + self.seconds, case, "error", Durations(), reason=problem)

    def with_problems(self, last: RunFinished) -> RunFinished:
        """Return the last event as reports count that have seen `events`."""
        return replace(last, errors=last.errors + len(self.problems))

    def _latest(self) -> Iterable[ShardRun]:
        return {(run.shard.split, run.shard.index): run for run in self.runs}.values()

    def _lines(self) -> Iterator[tuple[ShardRun, dict[str, Any]]]:
        for number, run in enumerate(self.runs):
            lines = (line for line in read_lines(run.folder) if isinstance(line.get("case"), dict))
            for place, (line, head) in enumerate(zip(lines, run.heads, strict=True)):
                if place in self._kept[number]:
                    facts = {"repeat": self._kept[number][place], "shard": run.shard.index}
                    yield run, {**line, "case": {**head, **facts}}

    def _count(self) -> None:
        """Count what each case came to. What could not be judged is forgotten where the shard was run again and could."""
        judged: dict[str, int] = {}
        for number, run in enumerate(self.runs):
            judged |= {key_of(head): number for head in run.heads if head["outcome"] != "error"}
        before: Counter[str] = Counter()
        forgotten = 0
        for number, run in enumerate(self.runs):
            self._kept[number] = {}
            for place, head in enumerate(run.heads):
                case = key_of(head)
                if head["outcome"] == "error" and judged.get(case, -1) > number:
                    forgotten += 1
                    continue
                self._kept[number][place] = before[case]
                before[case] += 1
                self._outcomes[case][head["outcome"]] += 1
        if forgotten:
            self.notes.append(
                f"{_plural(forgotten, 'error')} of a first try left out: the shard was run again, and judged"
            )

    def _planned(self) -> int:
        wholes = {run.shard.split: run.shard for run in self.runs}
        return sum(cases for shard in wholes.values() for part in shard.parts for _, cases in part)

    def _apart(self) -> Iterator[str]:
        """Tell what shards of one run have in common, and these have not."""
        splits = _by(self.runs, lambda run: run.shard.split)
        if len(splits) > 1:
            told = [
                f"{_names(runs)} of {_plural(sum(map(len, runs[0].shard.parts)), 'file')} "
                f"chosen by `{runs[0].shard.selection}`, split by {runs[0].shard.by}"
                for runs in splits.values()
            ]
            yield f"these are shards of different wholes: {'; '.join(told)}"
        commits = _by((run for run in self.runs if run.shard.commit), lambda run: run.shard.commit[:10])
        if len(commits) > 1:
            told = [f"{_names(runs)} at {commit}" for commit, runs in commits.items()]
            yield f"the shards ran different commits: {'; '.join(told)}"
        backends = _by(self.runs, lambda run: str(run.facts.get("backend", "")))
        if len(backends) > 1:
            told = [f"{_names(runs)} on {backend}" for backend, runs in backends.items()]
            yield f"the shards ran on different backends: {'; '.join(told)}"

    def _missing(self) -> Iterator[str]:
        """Tell of what there is no result; and, which is no problem, of shards that were run again."""
        for runs in _by(self.runs, lambda run: run.shard.split).values():
            tries = _by(runs, lambda run: run.shard.index)
            for index, part in enumerate(runs[0].shard.parts, 1):
                planned = sum(cases for _, cases in part)
                there = tries.get(index, [])
                if not there:
                    files = _some([file for file, _ in part])
                    lost = f"{_plural(planned, 'case')} of {_plural(len(part), 'file')} not judged ({files})"
                    why = lost if part else "no file was left for it, and its run would have said so"
                    yield f"shard {index} of {runs[0].shard.count} is missing: {why}"
                    continue
                if len(there) > 1:
                    self.notes.append(
                        f"{there[0].name} was run {len(there)} times ({_some([run.source for run in there])}): "
                        "all of it is in the report, and a case that went both ways is flaky"
                    )
                own = {file for file, _ in part}
                results = {key_of(head) for run in there for head in run.heads if head["file"] in own}
                left, ended = planned - len(results), any(run.seconds is not None for run in there)
                if left > 0 or not ended:
                    why = "was ended early" if ended else "did not come to its end"
                    yield f"{there[0].name} {why}: {left} of {_plural(planned, 'case')} without a result ({there[-1].source})"

    def _doubled(self) -> Iterator[str]:
        """Tell of cases that more than one shard has run."""
        where: dict[str, dict[tuple[str, int], str]] = defaultdict(dict)
        for run in self.runs:
            for head in run.heads:
                where[key_of(head)][run.shard.split, run.shard.index] = run.name
        twice = {case: list(runs.values()) for case, runs in where.items() if len(runs) > 1}
        if twice:
            case, names = next(iter(twice.items()))
            yield f"cases are in more than one shard: {len(twice)}, as {case} in {' and '.join(names)}"


def _finished(stored: StoredCase, source: str) -> CaseFinished:
    try:
        return stored.finished
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise PeeklockError(
            "the record of a case cannot be read",
            where=source,
            actual=f"{stored.id}: {type(error).__name__}: {error}",
            fix="archive the run of that shard again, or run it again",
        ) from None


def _by(runs: Iterable[ShardRun], key: Callable[[ShardRun], T]) -> dict[T, list[ShardRun]]:
    found: dict[T, list[ShardRun]] = {}
    for run in runs:
        found.setdefault(key(run), []).append(run)
    return found


def _names(runs: Sequence[ShardRun]) -> str:
    return ", ".join(_distinct(f"{run.shard.index}/{run.shard.count}" for run in runs))


def _distinct(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more


def _plural(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
