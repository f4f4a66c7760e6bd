"""How the cases that failed went when they last passed: what the page of a run compares them with, from earlier records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from peeklock.reports.html.case_data import unpacked
from peeklock.reports.html.history import Result, key_of, number_of
from peeklock.reports.html.record import read_cases

MOST_STORIES = 20
MOST_BYTES = 4 << 20
"""Of all stories of a page together, as they are packed."""
MOST_RECORDS = 12
"""Earlier runs that are looked into, the newest first: each record may be as long as that of this run."""

_FAILED = ("failed", "error")

Passed = tuple[str, int | None]
"""The run in which a case last passed and the number of its story; None for one that had no room."""


def last_passed(
    folder: Path, heads: Sequence[Mapping[str, Any]], history: Sequence[Sequence[Result]]
) -> tuple[list[Passed | None], list[str]]:
    """Return for each head how its case last passed before the run in `folder`, and the packed stories.

    There is none for a case that did not fail, and where no earlier record has a story that can be read.
    """
    failed = {key_of(head): results for head, results in zip(heads, history, strict=True) if head["outcome"] in _FAILED}
    candidates: dict[str, set[str]] = {}
    for key, results in failed.items():
        for run in (run for run, outcome, _ in results if outcome == "passed"):
            candidates.setdefault(run, set()).add(key)
    found: dict[str, Passed] = {}
    stories: list[str] = []
    room = MOST_BYTES
    for run in _before(folder, candidates)[:MOST_RECORDS]:
        for key, story in _passing(folder.parent / run, candidates[run] - found.keys()):
            if len(stories) == MOST_STORIES or len(story) > room:
                found[key] = (run, None)
            elif _readable(story):
                found[key] = (run, len(stories))
                stories.append(story)
                room -= len(story)
    return [found.get(key_of(head)) if head["outcome"] in _FAILED else None for head in heads], stories


def _before(folder: Path, runs: Iterable[str]) -> list[str]:
    """The runs before the one in `folder`, the newest first. What a file of history names need not be a run."""
    numbers = {run: number_of(Path(run)) for run in runs if run == Path(run).name}
    earlier = (run for run in numbers if 0 <= numbers[run] < number_of(folder))
    return sorted(earlier, key=numbers.__getitem__, reverse=True)


def _passing(folder: Path, wanted: set[str]) -> Iterator[tuple[str, str]]:
    """Yield cases with their stories, once each; nothing more where the record ends or is gone."""
    try:
        for head, story in read_cases(folder) if wanted else ():
            key = f"{head.get('file')}::{head.get('name')}"
            if key in wanted and head.get("outcome") == "passed" and story:
                wanted.discard(key)
                yield key, story
                if not wanted:
                    return
    except OSError:
        return


def _readable(story: str) -> bool:
    try:
        return bool(unpacked(story))
    except ValueError:
        return False
