"""What a run came to, as Markdown: for the summary of a pipeline's job."""

from __future__ import annotations

from pathlib import Path

from peeklock.engine.events import CaseFinished, Event, RunFinished
from peeklock.reports.failure_text import cause_line, render_failure

_MOST = 20
"""Failures that are told in full: a job summary of GitHub has a megabyte."""
_LONGEST = 20_000


class SummaryReport:
    """Appends a section to a file when the run has ended."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._bad: list[CaseFinished] = []

    def __call__(self, event: Event) -> None:
        if isinstance(event, CaseFinished) and event.outcome in ("failed", "error"):
            self._bad.append(event)
        elif isinstance(event, RunFinished):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.write("\n".join(self._lines(event)) + "\n")

    def _lines(self, run: RunFinished) -> list[str]:
        counts = {"passed": run.passed, "failed": run.failed, "errors": run.errors, "skipped": run.skipped}
        told = ", ".join(f"{count} {word}" for word, count in counts.items() if count) or "no case has a result"
        lines = [f"### Peeklock: {told} in {run.seconds:.1f} s", ""]
        if run.flaky:
            lines += [f"Flaky: {', '.join(f'`{name}`' for name in run.flaky)}", ""]
        if self._bad:
            lines += ["| case | what did not hold |", "|---|---|"]
            lines += [f"| `{event.case}` | {_cell(_why(event))} |" for event in self._bad]
        for event in self._bad[:_MOST]:
            text = "\n".join(render_failure(event)) if event.failure else f"{event.reason}\n{event.traceback}".strip()
            fence = "~" * max(3, 1 + max((len(run) for run in text.split() if set(run) == {"~"}), default=0))
            lines += [
                "",
                f"<details><summary>{_html(event.case)}</summary>",
                "",
                f"{fence}text",
                text[:_LONGEST],
                fence,
                "</details>",
            ]
        return lines


def _why(event: CaseFinished) -> str:
    return cause_line(event.failure) if event.failure else event.reason


def _cell(text: str) -> str:
    return _html(" ".join(text.split())[:300]).replace("|", "\\|")


def _html(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
