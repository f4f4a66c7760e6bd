"""`peeklock alerts` — what alert rules would have done with a recorded run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from peeklock.alerts import Alert, Recording, RecordingError, Rule, alerts_of, looks, nearest, read_recording
from peeklock.cli.exits import exits
from peeklock.errors import PeeklockError
from peeklock.reports.artefacts import SIGNALS
from peeklock.scenario.alert_rules import read_rules
from peeklock.scenario.document import parse
from peeklock.scenario.errors import ScenarioInvalid
from peeklock.scenario.loader import load
from peeklock.stack.project.root import stack_root
from peeklock.verbs import VOCABULARY


def alerts(
    path: Annotated[Path, typer.Argument(help="a scenario file with `alerts`, a file of rules, or an ARM template")],
    run: Annotated[
        Path | None,
        typer.Option("--run", help="the run's folder, as .peeklock/run-7; default: the newest that has any"),
    ] = None,
) -> None:
    """Print what alert rules would have done with the cases of a run: which fired, which was resolved, and when.

    A run of a scenario with `alerts` keeps what its rules could look at, so that others can be tried without another run.
    """
    with exits():
        rules, file = _rules(path)
        recordings = _recordings(path, file, run)
    console = Console(highlight=False)
    for recording in recordings:
        span = f"{_moment(recording.start)} to {_moment(recording.end)}"
        console.print(Text.assemble((recording.case, "bold"), f"  {span}"), soft_wrap=True)
        for rule in rules:
            for text, style in _told(rule, recording):
                console.print(Text(f"  {text}", style), soft_wrap=True)


def _rules(path: Path) -> tuple[Sequence[Rule], str]:
    """Return the rules of a file, and the scenario file that they are of; empty when it is none."""
    document = parse(path.resolve())
    if isinstance(document.data, dict) and "scenario" in document.data:
        scenario = load(path, VOCABULARY)
        if not scenario.alerts:
            raise PeeklockError("the scenario names no alert rules", where=str(path), fix="write `alerts: rules.yaml`")
        return list(scenario.alerts.values()), path.name
    rules, problems = read_rules(path.resolve(), telemetry=True)
    if problems:
        raise ScenarioInvalid(problems)
    return rules, ""


def _recordings(path: Path, file: str, run: Path | None) -> list[Recording]:
    folder = stack_root(path) / ".peeklock"
    if run is not None and not run.is_dir():
        raise PeeklockError("there is no such run", where=str(run), fix=f"look into {folder}")
    runs = (
        [run] if run is not None else sorted(folder.glob("run-*"), key=lambda each: each.stat().st_mtime, reverse=True)
    )
    for each in runs:
        found = [recording for recording in _read(each) if file in ("", Path(recording.case.partition("::")[0]).name)]
        if found:
            return found
    raise PeeklockError(
        "no run has kept what alert rules could look at",
        where=str(run or folder),
        expected=f"a case of {file}" if file else "a case of a scenario with `alerts`",
        fix=f"peeklock run {path}" if file else "peeklock run a scenario that names the rules in `alerts`",
    )


def _read(run: Path) -> Iterator[Recording]:
    for place in sorted(run.glob(f"*/{SIGNALS}")):
        try:
            yield read_recording(place.read_text(encoding="utf-8").splitlines())
        except RecordingError as error:
            raise RecordingError(
                error.problem, where=f"{place}, {error.where}", actual=error.actual, fix=error.fix
            ) from None
        except (OSError, UnicodeDecodeError) as error:
            raise PeeklockError("a recording cannot be read", where=str(place), actual=str(error)) from None


def _told(rule: Rule, recording: Recording) -> Iterator[tuple[str, str]]:
    past = looks(rule, recording.measured, recording.start, recording.end)
    found = alerts_of(rule, past)
    for alert in found:
        yield f"{rule.name}: {_story(alert)}: {alert.why}", "red"
    if not found:
        yield f"{rule.name}: did not fire: {nearest(rule, past)}", "green"


def _story(alert: Alert) -> str:
    dimensions = ", ".join(f"{name}: {value}" for name, value in alert.dimensions.items())
    fired = f"fired {_moment(alert.fired_at)}" + (f" for {dimensions}" if dimensions else "")
    return fired + (", not resolved" if alert.resolved_at is None else f", resolved {_moment(alert.resolved_at)}")


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
