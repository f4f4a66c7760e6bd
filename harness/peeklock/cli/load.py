"""`peeklock load` — a case with a load, with more users or for longer than its file says."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from peeklock.cli.exits import exits
from peeklock.cli.run import run_plan
from peeklock.durations import parse_duration
from peeklock.engine.case import CaseOptions
from peeklock.engine.pace import Pace
from peeklock.engine.plan import Choice, Plan, Target, make_plan
from peeklock.engine.runner import RunOptions
from peeklock.load import ready_to_load
from peeklock.reports.html.report import HtmlReport
from peeklock.reports.run_folder import new_run_folder
from peeklock.scenario.errors import Problem, ScenarioInvalid
from peeklock.scenario.load_step import LoadChange, has_load
from peeklock.stack.choice import choose_backend
from peeklock.stack.project.cache import cache_dir
from peeklock.stack.project.root import stack_root
from peeklock.verbs import VOCABULARY


def load(
    target: Annotated[str, typer.Argument(help="path::case, or a file whose cases with a load are run")],
    users: Annotated[int | None, typer.Option(min=1, max=10_000, help="so many users at once")] = None,
    spawn_rate: Annotated[float | None, typer.Option(min=0.01, help="users that begin in a second")] = None,
    duration: Annotated[str, typer.Option(help="how long, as in 60s, whatever the step says of its end")] = "",
    backend: Annotated[str, typer.Option(help="auto, embedded, containers or azure")] = "auto",
    as_json: Annotated[
        bool, typer.Option("--json", help="for tools: each event as a line of JSON; what people read goes to stderr")
    ] = False,
    report: Annotated[
        bool, typer.Option("--report/--no-report", help="keep what happened in each case, and make report.html of it")
    ] = True,
) -> None:
    """Run cases with a `load` step, tell its figures while it goes on, and judge everything that came of it."""
    change = LoadChange(users, spawn_rate, _seconds(duration) if duration else None)
    path = Path(target.partition("::")[0])
    root = stack_root(path)
    with exits():
        ready_to_load()
        plan = _planned(target, change)
        if not plan:
            raise ScenarioInvalid(
                [Problem(path, None, "no case has a load", fix="add a step `load: …` to one of them")]
            )
        chosen, why = choose_backend(backend, root)
        options = RunOptions(new_run_folder(root), chosen, why, case=CaseOptions(cache=cache_dir()))
        html = HtmlReport(options.folder) if report else None
        pace = Pace(root / ".peeklock" / "durations.json")
        console = Console(highlight=False, stderr=as_json)
        code = run_plan(root, plan, options, pace, console, html, (None, None, None), as_json, False, False)
    raise typer.Exit(code)


def _planned(target: str, change: LoadChange) -> Plan:
    """Return the cases of a target with their loads changed; of a file or folder, those that have one."""
    parsed, plan = Target.parse(target), []
    for scenario, cases in make_plan([parsed], Choice(), VOCABULARY):
        wanted = cases if parsed.case else [case for case in cases if has_load(case)]
        if wanted:
            plan.append(change.of(scenario, wanted))
    return plan


def _seconds(duration: str) -> float:
    try:
        seconds = parse_duration(duration)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--duration") from None
    if seconds <= 0:
        raise typer.BadParameter(f"{duration} is no time", param_hint="--duration")
    return seconds
