"""Annotations that GitHub Actions shows beside the line of a scenario."""

from __future__ import annotations

from typing import IO

from peeklock.engine.events import CaseFinished, Event
from peeklock.reports.failure_text import cause_line


class GitHubReport:
    """Prints a workflow command for each case that failed or could not be judged."""

    def __init__(self, output: IO[str]) -> None:
        """`output`: either stream of the command; the runner of GitHub reads both."""
        self._output = output

    def __call__(self, event: Event) -> None:
        if isinstance(event, CaseFinished) and event.outcome == "error":
            self._output.write(f"::error title={_escape(event.case)}::{_escape(event.reason)}\n")
        elif isinstance(event, CaseFinished) and event.failure:
            failure = event.failure
            file, line, column = [*failure.where.rsplit(":", 2), "1", "1"][:3]
            text = cause_line(failure)
            where = f"file={_escape(file)},line={line},col={column}"
            self._output.write(f"::error {where},title={_escape(event.case)}::{_escape(f'{failure.step}: {text}')}\n")


def _escape(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A").replace(":", "%3A").replace(",", "%2C")
