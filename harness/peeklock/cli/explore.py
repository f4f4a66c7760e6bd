"""`peeklock explore` — every moment of a case that passes is disturbed, and the end compared with the undisturbed one."""

from __future__ import annotations

from contextlib import ExitStack, closing
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from peeklock.cli.exits import FAILED, INTERRUPTED, PASSED, exits
from peeklock.cli.interruption import interruptible
from peeklock.durations import parse_duration
from peeklock.engine.case import CaseOptions
from peeklock.engine.context import slug_of
from peeklock.engine.environments import needed_kinds
from peeklock.engine.plan import Choice, Target, make_plan
from peeklock.engine.session import Session, most_environments
from peeklock.explore.crew import Crew
from peeklock.explore.events import Explored, Known, Recorded, Wanted
from peeklock.explore.kept import Notes
from peeklock.explore.locks import shortened
from peeklock.explore.recovery import PATIENCE
from peeklock.explore.report import ConsoleReport
from peeklock.explore.search import CaseDoesNotPass, Search
from peeklock.explore.trial import Trials, Watcher, session_options, silent
from peeklock.reports.explored import write_junit
from peeklock.reports.html.explored import write_matrix
from peeklock.scenario.errors import shorten
from peeklock.scenario.model import Case, Scenario
from peeklock.stack.choice import choose_backend
from peeklock.stack.errors import StackError
from peeklock.stack.open import open_stack
from peeklock.stack.project.cache import cache_dir
from peeklock.stack.project.folder import ProjectFolder
from peeklock.stack.project.root import stack_root
from peeklock.verbs import VOCABULARY


def explore(
    target: Annotated[str, typer.Argument(help="path::case, a case that passes")],
    backend: Annotated[str, typer.Option(help="auto, embedded or containers")] = "auto",
    seed: Annotated[int, typer.Option(help="the order of what is equally likely to find something")] = 0,
    workers: Annotated[int, typer.Option("-n", min=1, max=16, help="so many disturbances side by side")] = 1,
    budget: Annotated[str, typer.Option(help="as 2m: begin no further disturbance after so long")] = "",
    only: Annotated[
        list[str] | None, typer.Option(help="a service, or what is asked over HTTP (may be repeated)")
    ] = None,
    depth: Annotated[int, typer.Option(min=1, max=2, help="2: then two at a time of what was borne alone")] = 1,
    exit_first: Annotated[bool, typer.Option("-x", help="end with the first finding")] = False,
    junit: Annotated[Path | None, typer.Option(help="write JUnit XML to this file, a testcase a disturbance")] = None,
    write: Annotated[bool, typer.Option("--write/--no-write", help="write each finding as a scenario")] = True,
    resume: Annotated[bool, typer.Option("--resume", help="go on where the same exploration was interrupted")] = False,
    patience: Annotated[str, typer.Option(help="how long a disturbed system has to come to rest")] = "25s",
) -> None:
    """Disturb every moment of a case in turn: find what nobody thought of writing down."""
    root = stack_root(Path(target.partition("::")[0]))
    with exits():
        as_written, case = _one_case(target)
        scenario = shortened(as_written)
        wanted = Wanted(seed, _seconds("--budget", budget), tuple(only or ()), write, exit_first, depth)
        place = ProjectFolder(root)
        place.make()
        folder = place.path / "explore" / slug_of(f"{scenario.path.parent.name}-{scenario.path.stem}")
        notes = Notes.of_case(folder / f"{slug_of(case.name)}.ndjson", scenario, case, wanted)
        known = notes.known() if resume else Known()
        chosen, _ = choose_backend(backend, root)
        with ExitStack() as ending:
            stack = open_stack(root, chosen, kinds=needed_kinds([scenario]), room=workers * most_environments(1))
            ending.callback(stack.close)
            if "faults" not in stack.abilities:
                raise StackError(
                    f"the {stack.backend} backend cannot be disturbed: {stack.why_not('faults')}",
                    fix="explore on another one: --backend embedded",
                )
            members = []
            for _ in range(workers):
                watcher = Watcher(patience=_seconds("--patience", patience) or PATIENCE)
                options = session_options(watcher, CaseOptions(cache=cache_dir()))
                session = ending.enter_context(closing(Session(lambda: stack, silent, options, lent=True)))
                members.append(Trials(session, scenario, case, watcher, as_written))
            crew = ending.enter_context(closing(Crew(members)))
            code = _explore(Search(crew, wanted, known), notes, target, junit)
    raise typer.Exit(code)


def _explore(search: Search, notes: Notes, target: str, junit: Path | None) -> int:
    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
    interrupted = False
    with console.status("running the case undisturbed") as status:
        report = ConsoleReport(console.print, status.update)
        try:
            with interruptible():
                for event in search.events():
                    if isinstance(event, Recorded):
                        notes.begin()
                    notes(event)
                    report(event)
        except KeyboardInterrupt:
            search.trials.stop()
            interrupted = True
        except CaseDoesNotPass as error:
            console.print(f"error: {error}")
            return FAILED
    explored = search.explored()
    if interrupted:
        console.print("\ninterrupted: this is what is known; --resume goes on")
    report.end(explored, search.wanted.seed)
    if explored.recorded is not None:
        page = write_matrix(notes.path.with_suffix(".html"), target, explored, search.wanted.seed)
        console.print(f"  report: {shorten(page)}")
    if junit is not None:
        write_junit(junit, target, explored)
    if interrupted:
        return INTERRUPTED
    return PASSED if _is_good(explored) else FAILED


def _is_good(explored: Explored) -> bool:
    """Tell whether something was judged, and nothing found that is sure."""
    judged = any(each.trial.verdict == "same" for each in explored.tried)
    return judged and all(each.flaky for each in explored.findings)


def _one_case(target: str) -> tuple[Scenario, Case]:
    pairs = [
        (scenario, case)
        for scenario, cases in make_plan([Target.parse(target)], Choice(), VOCABULARY)
        for case in cases
    ]
    if len(pairs) != 1:
        names = ", ".join(case.name for _, case in pairs) or "there is none"
        raise typer.BadParameter(f"one case is explored at a time: path::case, of {names}", param_hint="TARGET")
    return pairs[0]


def _seconds(option: str, text: str) -> float | None:
    if not text:
        return None
    try:
        return parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from None
