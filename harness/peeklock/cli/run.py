"""`peeklock run` — scenarios against a stack."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer
from rich.console import Console

from peeklock.cli.check import DEFAULT
from peeklock.cli.exits import FAILED, NO_STACK, exit_code, exits
from peeklock.engine.case import CaseOptions
from peeklock.engine.environments import needed_kinds
from peeklock.engine.events import CaseFinished, Event, Handler, RunFinished
from peeklock.engine.last_run import LastRun
from peeklock.engine.pace import Pace, read_seconds
from peeklock.engine.plan import Choice, Plan, Target, make_plan
from peeklock.engine.runner import Runner, RunOptions
from peeklock.engine.session import most_environments
from peeklock.engine.shard import parse_shard
from peeklock.engine.sharding import only, shard_of
from peeklock.errors import PeeklockError
from peeklock.reports.artefacts import write_artefacts
from peeklock.reports.console import ConsoleReport
from peeklock.reports.ctrf import CtrfReport
from peeklock.reports.fan_out import FanOut
from peeklock.reports.github import GitHubReport
from peeklock.reports.html.report import HtmlReport, report_line
from peeklock.reports.junit import JUnitReport
from peeklock.reports.live_area import LiveArea
from peeklock.reports.ndjson import NdjsonReport
from peeklock.reports.run_folder import forget_oldest, new_run_folder
from peeklock.reports.summary import SummaryReport
from peeklock.stack.backend import Stack
from peeklock.stack.choice import choose_backend
from peeklock.stack.open import open_stack
from peeklock.stack.project.cache import cache_dir
from peeklock.stack.project.commit import commit_of
from peeklock.stack.project.root import stack_root
from peeklock.stack.warm import lifecycle as warm
from peeklock.verbs import VOCABULARY

_ENDLESS = 1_000_000
"""Repetitions of `--until-fail`."""


def run(
    targets: Annotated[list[str] | None, typer.Argument(help="path or path::case; default: scenarios/")] = None,
    backend: Annotated[str, typer.Option(help="auto, embedded, containers or azure")] = "auto",
    keyword: Annotated[
        str, typer.Option("-k", help="only cases whose name, tags or criteria match, as in 'sas and not expired'")
    ] = "",
    tags: Annotated[list[str] | None, typer.Option("--tag", help="only cases with this tag (may be repeated)")] = None,
    workers: Annotated[int, typer.Option("-n", min=1, max=64, help="so many files side by side")] = 1,
    repeat: Annotated[int, typer.Option(min=1, help="run each case so often")] = 1,
    until_fail: Annotated[bool, typer.Option("--until-fail", help="repeat until a case fails")] = False,
    shard: Annotated[
        str, typer.Option(help="2/4: the second of four parts, split by file; `peeklock merge` puts them together")
    ] = "",
    durations: Annotated[
        Path | None, typer.Option(help="seconds by case, by which shards are split: the same file on every machine")
    ] = None,
    shuffle: Annotated[int | None, typer.Option(help="run in an order made from this seed")] = None,
    last_failed: Annotated[bool, typer.Option("--last-failed", help="only cases that failed in the last run")] = False,
    keep: Annotated[
        bool, typer.Option("--keep", help="leave the stack and its data standing (end it with `peeklock down`)")
    ] = False,
    watch: Annotated[bool, typer.Option("--watch", help="run again whenever a file of the project changes")] = False,
    junit: Annotated[Path | None, typer.Option(help="write JUnit XML to this file")] = None,
    ctrf: Annotated[Path | None, typer.Option(help="write a Common Test Report Format file (JSON)")] = None,
    summary: Annotated[
        Path | None,
        typer.Option(envvar="GITHUB_STEP_SUMMARY", show_envvar=False, help="append a summary in Markdown to this file"),
    ] = None,
    update_snapshots: Annotated[
        bool, typer.Option("--update-snapshots", help="write what is as what should be")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="for tools: each event as a line of JSON; what people read goes to stderr")
    ] = False,
    report: Annotated[
        bool, typer.Option("--report/--no-report", help="keep what happened in each case, and make report.html of it")
    ] = True,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="tell when a case begins")] = False,
) -> None:
    """Run scenario cases against Postgres, blobs, Service Bus and the real services."""
    console = Console(highlight=False, stderr=as_json)
    root = stack_root(Path(targets[0].partition("::")[0] if targets else DEFAULT))

    def once() -> int:
        with exits():
            parsed = [Target.parse(target) for target in targets or [str(DEFAULT)]]
            place, known = _shard(shard, durations, last_failed)
            failed = _last_failed(root) if last_failed else None
            choice = Choice(keyword, tuple(tags or ()), failed, shuffle)
            plan = make_plan(parsed, choice, VOCABULARY)
            if not plan:
                typer.echo("no case matches", err=True)
                return FAILED
            part = None
            if place is not None:
                selection = _selection(targets, choice)
                part = shard_of(plan, place, known, source=durations, selection=selection, commit=commit_of(root))
                plan = only(plan, part)
            pace = Pace(root / ".peeklock" / "durations.json")
            if workers > 1 and shuffle is None:
                plan = pace.longest_first(plan)
            chosen, why = choose_backend(backend, root)
            options = RunOptions(
                new_run_folder(root),
                chosen,
                why,
                workers,
                _ENDLESS if until_fail and repeat == 1 else repeat,
                until_fail,
                CaseOptions(update_snapshots, cache_dir()),
                part,
            )
            if keep or watch:
                brought_up = (
                    warm.up(root, lambda text: typer.echo(f"  {text}", err=as_json), backend=chosen).took is not None
                )
                if brought_up and not keep:
                    warm.end_with_this_process(root)
            html = HtmlReport(options.folder) if report else None
            return run_plan(root, plan, options, pace, console, html, (junit, ctrf, summary), as_json, verbose, keep)

    if watch:
        from peeklock.cli.watch import watch as watch_files  # 40 ms, for those who watch

        raise typer.Exit(watch_files(root, once, console, keep=keep))
    code = once()
    if keep:
        _tell_what_stands(root, err=as_json)
    raise typer.Exit(code)


def run_plan(
    root: Path,
    plan: Plan,
    options: RunOptions,
    pace: Pace,
    console: Console,
    html: HtmlReport | None,
    exports: tuple[Path | None, Path | None, Path | None],
    as_json: bool,
    verbose: bool,
    keep: bool,
) -> int:
    """Run what is planned with every report that is asked for, and return the exit code. `exports`: JUnit, CTRF, summary."""
    kinds = needed_kinds(scenario for scenario, _ in plan)
    room = most_environments(options.workers)

    def open_(progress: Callable[[str], None]) -> Stack:
        stack = open_stack(root, options.backend, kinds=kinds, progress=progress, room=room)
        stack.keeping = keep
        return stack

    runner = Runner(plan, options, open_)
    handlers: list[Handler] = [
        ConsoleReport(console, verbose=verbose, live=LiveArea.suits(console) and not as_json),
        NdjsonReport(options.folder / "events.ndjson"),
        pace,
    ]
    if html is not None:
        handlers.insert(2, html)
    if as_json:
        handlers.append(NdjsonReport())
    junit, ctrf, summary = exports
    if junit:
        handlers.append(JUnitReport(junit))
    if ctrf:
        handlers.append(CtrfReport(ctrf))
    if summary:
        handlers.append(SummaryReport(summary))
    if os.environ.get("GITHUB_ACTIONS") == "true":
        handlers.append(GitHubReport(sys.stderr if as_json else sys.stdout))
    repeat = None if options.until_fail and options.repeat == _ENDLESS else options.repeat
    live = LiveArea(console, pace.expected(plan), workers=options.workers, repeat=repeat)
    tell: Callable[[str], None] = partial(typer.echo, err=True)
    if LiveArea.suits(console) and not as_json:
        handlers.insert(0, live)
        tell = console.print  # above the live area, not across it
    reports = FanOut(handlers, lambda text: typer.echo(f"error: {text}", err=True))
    last: Event | None = None
    with _interrupts(runner.stop, tell), closing(live):
        for event in runner.events():
            last = event
            reports(_with_artefacts(event, options.folder, reports))
    assert isinstance(last, RunFinished)
    finished = last
    reports.attempt("what failed", lambda: LastRun(root).remember(finished.failed_cases), None)
    reports.attempt("how long cases take", pace.remember, None)
    forget_oldest(options.folder)
    if html is not None and (finished.failed or finished.errors):
        typer.echo(report_line(html.page), err=as_json)
    return NO_STACK if reports.broken else exit_code(finished)


def _with_artefacts(event: Event, folder: Path, reports: FanOut) -> Event:
    if not isinstance(event, CaseFinished) or event.outcome not in ("passed", "failed", "error"):
        return event
    return reports.attempt(f"the artefacts of {event.case}", lambda: write_artefacts(event, folder), event)


def _tell_what_stands(root: Path, *, err: bool) -> None:
    for kept in warm.status(root).kept:
        ports = ", ".join(f"{kind} 127.0.0.1:{port}" for kind, port in kept.ports.items())
        typer.echo(f"{kept.name} stands on a stack of its own: {ports}; logs in {kept.log_dir}", err=err)
    typer.echo("the stack stands: see `peeklock status`; end it with `peeklock down`", err=err)


@contextmanager
def _interrupts(stop: Callable[[], None], tell: Callable[[str], None]) -> Iterator[None]:
    """Let the first Ctrl-C or SIGTERM end the run after the running cases, the second at once."""
    previous = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def handle(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)  # before anything is said: the second may come while the first is told of
        stop()
        tell("ending after the running cases; once more to end at once")

    for number in previous:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _last_failed(root: Path) -> frozenset[str]:
    failed = LastRun(root).failed()
    if failed is None:
        raise typer.BadParameter("there is no last run to take failed cases from", param_hint="--last-failed")
    return failed


def _shard(text: str, durations: Path | None, last_failed: bool) -> tuple[tuple[int, int] | None, dict[str, float]]:
    """Return which of how many shards is asked for, if any, and the seconds by case by which they are split."""
    try:
        if durations is not None and not text:
            raise ValueError("--durations is what shards are split by: say which of them this is, as --shard 1/4")
        if last_failed and text:
            raise ValueError("each machine has a last run of its own: --last-failed goes without --shard")
        return parse_shard(text) if text else None, read_seconds(durations) if durations is not None else {}
    except (ValueError, PeeklockError) as error:
        raise typer.BadParameter(str(error), param_hint="--durations" if durations else "--shard") from None


def _selection(targets: list[str] | None, choice: Choice) -> str:
    """Return what chose the cases, as it is typed: all shards of a run have it in common."""
    options = [*(["-k", choice.keyword] if choice.keyword else []), *(f"--tag={tag}" for tag in choice.tags)]
    return shlex.join([*(targets or [str(DEFAULT)]), *options])
