"""`peeklock merge RUNS…` — the runs of all shards as one: one page, one result for pipelines, one exit code."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from peeklock.cli.exits import NO_STACK, exit_code, exits
from peeklock.engine.events import Handler, Progress, RunFinished, RunStarted
from peeklock.engine.last_run import LastRun
from peeklock.engine.pace import Pace
from peeklock.reports.console import ConsoleReport
from peeklock.reports.ctrf import CtrfReport
from peeklock.reports.fan_out import FanOut
from peeklock.reports.html import bundle
from peeklock.reports.html.page import write_page
from peeklock.reports.html.report import report_line
from peeklock.reports.junit import JUnitReport
from peeklock.reports.run_folder import forget_oldest, new_run_folder
from peeklock.reports.shard_merge import ShardMerge
from peeklock.reports.shard_run import ShardRun, opened_shards
from peeklock.reports.summary import SummaryReport
from peeklock.stack.errors import unwritable
from peeklock.stack.project.root import stack_root


def merge(
    runs: Annotated[
        list[Path], typer.Argument(help="archives by `peeklock report --archive`, or folders with such, of all shards")
    ],
    junit: Annotated[Path | None, typer.Option(help="write JUnit XML to this file")] = None,
    ctrf: Annotated[Path | None, typer.Option(help="write a Common Test Report Format file (JSON)")] = None,
    summary: Annotated[
        Path | None,
        typer.Option(envvar="GITHUB_STEP_SUMMARY", show_envvar=False, help="append a summary in Markdown to this file"),
    ] = None,
    durations: Annotated[
        Path | None, typer.Option(help="write into this file how long cases took, for `peeklock run --durations`")
    ] = None,
) -> None:
    """Merge the runs of all shards into one; what is missing is told, and the exit code is 0 only for the whole."""
    with exits(), opened_shards(runs) as found:
        merged = ShardMerge(found)
        folder = new_run_folder(stack_root())
        try:
            merged.write(folder)
        except OSError as error:
            raise unwritable(error.filename or folder, error) from error
        paces = [Pace(folder.parent / "durations.json"), *([Pace(durations)] if durations else [])]
        handlers: list[Handler] = [ConsoleReport(Console(highlight=False)), *paces]
        if junit:
            handlers.append(JUnitReport(junit))
        if ctrf:
            handlers.append(CtrfReport(ctrf))
        if summary:
            handlers.append(SummaryReport(summary))
        reports = FanOut(handlers, lambda text: typer.echo(f"error: {text}", err=True))
        last = _tell(merged, folder, reports)
        for pace in paces:
            reports.attempt("how long cases take", pace.remember, None)
        reports.attempt("what failed", lambda: LastRun(folder.parent.parent).remember(last.failed_cases), None)
        viewer = bundle.found()
        page = reports.attempt("the page", lambda: write_page(folder, viewer), None) if viewer is not None else None
        forget_oldest(folder)
        typer.echo(report_line(page))
        raise typer.Exit(NO_STACK if reports.broken else _code(merged, last))


def _tell(merged: ShardMerge, folder: Path, reports: FanOut) -> RunFinished:
    """Hand every report the events of a run that has done all."""
    why = f"merged from {merged.shards}"
    reports(RunStarted(merged.at, folder.name, merged.cases, merged.files, merged.backend, why, folder))
    for text in (*map(_line, merged.runs), *(f"note: {note}" for note in merged.notes)):
        reports(Progress(time.time(), text))
    for event in merged.events():
        reports(event)
    last = merged.finished(folder.name)
    reports(merged.with_problems(last))
    return last


def _line(run: ShardRun) -> str:
    bad = sum(head["outcome"] in ("failed", "error") for head in run.heads)
    took = f"in {run.seconds:.1f} s" if run.seconds is not None else "without an end"
    return f"{run.name}: {len(run.heads)} cases, {bad} failed, {took} ({run.source})"


def _code(merged: ShardMerge, last: RunFinished) -> int:
    """A case that failed is told first; what is missing was not judged."""
    failed = bool(last.failed) and set(last.failed_cases) != set(last.flaky)
    return NO_STACK if merged.problems and not failed else exit_code(last)
