"""How each case ended in the last runs: each run hands it on to the next, so that reading it costs the same after hundreds of them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

NAME = "history.json"
MOST_RUNS = 12
"""Results that are kept of a case."""
MOST_CASES = 5_000
"""Of more, those that have not run for the longest time are forgotten."""

Result = tuple[str, str, float]
"""The run, how the case ended in it (`flaky` when both ways), and its longest seconds."""
Results = dict[str, list[Result]]


def key_of(head: Mapping[str, Any]) -> str:
    """Return what a case has in common with itself in other runs."""
    return f"{head['file']}::{head['name']}"


class History:
    """The results of one run, added to those before it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._results: dict[str, tuple[str, float]] = {}

    def add(self, head: Mapping[str, Any]) -> None:
        """Take in how a case has ended; what was skipped says nothing."""
        if head["outcome"] == "skipped":
            return
        key, outcome, seconds = key_of(head), str(head["outcome"]), round(sum(head["seconds"]), 2)
        if key in self._results:
            before, longest = self._results[key]
            outcome, seconds = outcome if before == outcome else "flaky", max(longest, seconds)
        self._results[key] = (outcome, seconds)

    def write(self) -> None:
        """Write `history.json` of the run. Raises `OSError`."""
        known = _earlier(self._folder)
        for key, (outcome, seconds) in self._results.items():
            before = known.pop(key, [])  # what has run goes to the end
            known[key] = [*before, (self._folder.name, outcome, seconds)][-MOST_RUNS:]
        kept = dict(list(known.items())[-MOST_CASES:])
        (self._folder / NAME).write_text(json.dumps(kept, ensure_ascii=False), encoding="utf-8", errors="replace")


def results_before(folder: Path) -> Results:
    """Return what is known of each case from the runs before the one in `folder`, the oldest first."""
    known = read(folder / NAME)
    if known is None:
        return _earlier(folder)
    return {key: [each for each in results if each[0] != folder.name] for key, results in known.items()}


def read(path: Path) -> Results | None:
    """Return what a file of history holds; None where there is none that can be read."""
    try:
        return {
            str(key): [(str(run), str(outcome), float(seconds)) for run, outcome, seconds in results][-MOST_RUNS:]
            for key, results in json.loads(path.read_text(encoding="utf-8")).items()
        }
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return None


def _earlier(folder: Path) -> Results:
    own = number_of(folder)
    for path in sorted(
        (each for each in folder.parent.glob("run-*") if number_of(each) < own), key=number_of, reverse=True
    ):
        if (known := read(path / NAME)) is not None:
            return known
    return {}


def number_of(folder: Path) -> int:
    """Return the number of a run by its folder; -1 where it is no run's."""
    found = re.fullmatch(r"run-(\d{1,9})", folder.name)
    return int(found[1]) if found else -1
