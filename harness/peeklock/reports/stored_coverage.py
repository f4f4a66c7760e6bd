"""What the cases of a run that has been have shown together, read from the run's folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from peeklock.engine.operations import HUNG_UP, OUTSIDE
from peeklock.reports.html.history import key_of
from peeklock.reports.html.record import read_heads
from peeklock.scenario.criteria import sort_key

FORMAT = 1
"""Of what `as_json` returns. New keys do not change it, other meanings of old ones do."""


class StoredCoverage:
    """What a run has shown of criteria, queues, schemas and contracts, and what it has not."""

    def __init__(self, folder: Path) -> None:
        """Raises `OSError`."""
        recorded = read_heads(folder)
        data = recorded.coverage.data()
        self._run, self._cases = folder.name, len(recorded.heads)
        self._sentences = {str(key): str(text) for key, text in recorded.run.get("criteria", {}).items()}
        self._criteria: dict[str, dict[str, None]] = {key: {} for key in self._sentences}
        for head in recorded.heads:
            for criterion in head.get("covers", ()):
                self._criteria.setdefault(str(criterion), {})[key_of(head)] = None
        self._queues = {
            queue: {str(outcome): counts.get(outcome, [0])[0] for outcome in data["outcomes"]}
            for queue, counts in data["queues"]
        }
        self._schemas: Sequence[tuple[str, str, Sequence[Sequence[Any]]]] = data["contracts"]
        self._operations: dict[str, dict[str, dict[str, int]]] = {
            file: {operation: {status: count for status, count, _ in answers} for operation, answers in operations}
            for file, operations in data["operations"]
        }

    @property
    def uncovered(self) -> list[str]:
        """Return the criteria that no case of the run covers."""
        return [key for key in sorted(self._criteria, key=sort_key) if not self._criteria[key]]

    def as_json(self) -> dict[str, Any]:
        """Return all of it as JSON data for tools."""
        return {
            "format": FORMAT,
            "run": self._run,
            "cases": self._cases,
            "criteria": {
                key: {"sentence": self._sentences.get(key, ""), "cases": list(self._criteria[key])}
                for key in sorted(self._criteria, key=sort_key)
            },
            "queues": self._queues,
            "schemas": {
                queue: {"schema": name, "keywords": [dict(zip(_KEYWORD, each, strict=False)) for each in keywords]}
                for queue, name, keywords in self._schemas
            },
            "operations": self._operations,
        }

    def lines(self) -> Iterator[str]:
        """Yield what the run has not shown, for people."""
        yield f"{self._run}, by its {self._cases} cases"
        if self._criteria:
            told = f"{len(self._criteria) - len(self.uncovered)} of {len(self._criteria)} criteria have a case"
            yield told + (f"; none: {', '.join(self.uncovered)}" if self.uncovered else "")
        for queue, counts in self._queues.items():
            if never := [outcome.replace("_", " ") for outcome, count in counts.items() if not count]:
                yield f"{queue}: no message was ever {', '.join(never)}"
        for queue, name, keywords in self._schemas:
            untried = sum(not each[_KEYWORD.index("broken")] for each in keywords)
            yield f"{name}: {untried} of {len(keywords)} keywords were broken by no message of {queue}"
        for file, operations in self._operations.items():
            yield from _operation_lines(file, operations)


_KEYWORD = ("place", "name", "wanted", "met", "broken")


def _operation_lines(file: str, operations: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    asked = {
        name for name, answers in operations.items() if any(count for key, count in answers.items() if key != OUTSIDE)
    }
    never = {
        name: [status for status, count in answers.items() if not count and status not in (OUTSIDE, HUNG_UP)]
        for name, answers in operations.items()
    }
    untold = sum(map(len, never.values()))
    unasked = f"operations never asked: {len(operations) - len(asked)} of {len(operations)}"
    yield f"{file}: {unasked}; answers that never came: {untold}"
    width = max(map(len, operations), default=0)
    for name in sorted(operations, key=lambda each: each in asked):
        if name not in asked:
            yield f"  {name:<{width}}   never asked"
        elif never[name]:
            yield f"  {name:<{width}}   never {', '.join(never[name])}"
