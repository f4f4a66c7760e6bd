"""Does a file that holds its services to their traces ask for them?"""

from __future__ import annotations

from collections.abc import Sequence

from peeklock.scenario.document import Document
from peeklock.scenario.errors import Problem
from peeklock.scenario.topology import Stack

_OF_TRACES = ("trace_unbroken", "no_error_spans")


def telemetry_problems(always: Sequence[str], stack: Stack, document: Document) -> list[Problem]:
    """Return a problem for each invariant of a file that would hold of nothing."""
    if stack.telemetry is not None:
        return []
    return [
        document.problem(
            ("always", index),
            f"{name} needs telemetry, which the file does not ask for",
            fix="write `telemetry: true` in its `stack`",
        )
        for index, name in enumerate(always)
        if name in _OF_TRACES
    ]
