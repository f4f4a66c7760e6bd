"""Keeps what a run shows as it goes, and makes its page at the end."""

from __future__ import annotations

from pathlib import Path

from peeklock.engine.events import Event, RunFinished
from peeklock.reports.failure_text import near
from peeklock.reports.html import bundle
from peeklock.reports.html.page import write_page
from peeklock.reports.html.record import RunRecord


class HtmlReport:
    """Writes `cases.ndjson` and, where the viewer is there, `report.html`. A handler of events."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._record = folder, RunRecord(folder)
        self.page: Path | None = None
        """The page, once it is made."""

    def __call__(self, event: Event) -> None:
        self._record(event)
        if isinstance(event, RunFinished) and (viewer := bundle.found()) is not None:
            self.page = write_page(self._folder, viewer)


def report_line(page: Path | None) -> str:
    """Return where the page of a run is, or why there is none."""
    if page is None:
        return "report: not made, its viewer is not there yet: `peeklock setup` brings it, then `peeklock report`"
    return f"report: {near(page)}"
