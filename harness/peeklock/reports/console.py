"""What one sees in a terminal, or in the log of a pipeline."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from peeklock.engine.events import (
    CaseFinished,
    CaseStarted,
    EnvironmentReady,
    Event,
    Progress,
    RunFinished,
    RunStarted,
    StackReady,
    StepProgress,
)
from peeklock.reports.failure_text import near, render_failure
from peeklock.reports.load_figures import load_lines

PROGRESS_EVERY = 5.0
"""Seconds between two lines that tell how far a step is, where they cannot be written over."""
_STYLES = {"passed": "green", "failed": "bold red", "skipped": "yellow", "error": "bold red"}


class ConsoleReport:
    """Prints a line for each case when it ends, and failures in full."""

    def __init__(self, console: Console, *, verbose: bool = False, live: bool = False) -> None:
        """`live`: something else shows what goes on right now."""
        self._console, self._verbose, self._live = console, verbose, live
        self._told_at = 0.0

    def __call__(self, event: Event) -> None:
        match event:
            case RunStarted():
                plural = "" if event.files == 1 else "s"
                self._line(
                    f"peeklock {event.run}: {event.cases} cases in {event.files} file{plural}, backend {event.backend} ({event.why})"
                )
                if event.shard is not None and event.shard.count > 1:
                    self._line(f"  {event.shard}")
            case Progress():
                self._line(f"  {event.text}", "dim")
            case StackReady():
                parts = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in event.parts.items())
                place = f" on {event.place}" if event.place else ""
                self._line(f"  stack ready in {event.seconds:.2f} s{place} ({'warm' if event.warm else parts})", "dim")
            case EnvironmentReady():
                self._line(f"  {event.scenario}: services ready in {event.seconds:.2f} s", "dim")
            case CaseStarted() if self._verbose:
                self._line(f"  {event.case} …", "dim")
            case StepProgress() if not self._live and event.at >= self._told_at + PROGRESS_EVERY:
                self._told_at = event.at
                self._line(f"  {event.case}: {event.text}", "dim")
            case CaseFinished():
                self._case(event)
                for line in load_lines(event):
                    self._line(f"        {line}")
            case RunFinished():
                self._summary(event)

    def _case(self, event: CaseFinished) -> None:
        repeat = f" #{event.repeat + 1}" if event.repeat else ""
        if event.outcome == "failed":
            self._console.print()
            first, *rest = render_failure(event, max(80, self._console.width))
            self._line(first.replace(event.case, event.case + repeat), _STYLES["failed"])
            for text in rest:
                self._line(text)
            self._console.print()
            return
        line = Text(f"{event.outcome.upper():<7}", _STYLES[event.outcome])
        line.append(f" {event.case}{repeat}  ", "default")
        line.append(f"{event.durations.total:.2f} s", "dim")
        self._console.print(line, soft_wrap=True)
        for text in event.reason.splitlines():
            self._line(f"        {text}", "yellow" if event.outcome == "skipped" else "")
        if event.artefacts is not None:
            self._line(f"        artefacts: {near(event.artefacts)}")

    def _summary(self, event: RunFinished) -> None:
        counts = [
            (event.failed, "failed", "bold red"),
            (event.errors, "errors", "bold red"),
            (event.passed, "passed", "green"),
            (event.skipped, "skipped", "yellow"),
        ]
        line = Text()
        for count, word, style in counts:
            if count or word in ("failed", "passed"):
                line.append(f"{count} {word}", style if count else "").append(", ")
        spent = event.durations
        stack = f"stack {event.setup:.1f} s; " if event.setup else ""
        line.append(f"in {event.seconds:.1f} s")
        line.append(
            f" ({stack}cases: set-up {spent.setup:.1f}, waiting {spent.waiting:.1f}, working {spent.working:.1f})",
            "dim",
        )
        self._console.print()
        for name in event.failed_cases:
            self._line(f"  {'flaky' if name in event.flaky else 'failed'}  {name}", "red")
        if event.interrupted:
            self._line("interrupted: the remaining cases were not run", "yellow")
        self._console.print(line, soft_wrap=True)

    def _line(self, text: str, style: str = "") -> None:
        self._console.print(Text(text, style), soft_wrap=True)
