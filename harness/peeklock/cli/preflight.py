"""`peeklock preflight` — is everything there, and the same for all services, before a message is sent?"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated

import typer

from peeklock import preflight as checks
from peeklock.cli.exits import FAILED, INVALID, PASSED, exits
from peeklock.durations import parse_duration
from peeklock.preflight.findings import Report
from peeklock.preflight.settings import EnvironmentFileInvalid, Setting


def preflight(
    file: Annotated[
        Path | None,
        typer.Argument(help="a scenario file: its stack and services are brought up; with --env, what it declares"),
    ] = None,
    env: Annotated[
        list[Path] | None,
        typer.Option("--env", help="the environment file of a service, named as it: worker.env (may be repeated)"),
    ] = None,
    timeout: Annotated[str, typer.Option(help="how long everything has to answer, as in 5s")] = "5s",
    strict: Annotated[bool, typer.Option("--strict", help="exit with 1 also when something was not checked")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="for tools: one JSON object")] = False,
    backend: Annotated[str, typer.Option(help="auto, embedded or containers")] = "auto",
) -> None:
    """Look from outside, read-only, at what services are told: databases, queues, containers, rights, clocks.

    Exit codes: 0 everything that could be checked is fine, 1 it is not, 2 there is nothing to check, 3 the stack did not start.
    """
    try:
        seconds = parse_duration(timeout)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--timeout") from None
    with exits():
        settings = _settings(env or [])
        if file is None and not settings:
            raise typer.BadParameter("name a scenario file, or environment files: --env api.env --env worker.env")
        if file is None:
            started = time.monotonic()
            report = checks.check(settings, None, seconds)
        else:
            # here: who looks at a deployment waits for the answer, and a stack takes 0.7 s to load
            from peeklock.cli.scenario_preflight import preflight_of

            report, started = preflight_of(file, settings, seconds, backend)
    _tell(report, time.monotonic() - started, as_json)
    raise typer.Exit(_code(report, strict))


def _settings(files: list[Path]) -> list[Setting]:
    try:
        return checks.read_files(files)
    except EnvironmentFileInvalid as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(INVALID) from None


def _code(report: Report, strict: bool) -> int:
    if report.findings or (strict and report.unchecked):
        return FAILED
    return PASSED if report.checked else INVALID


def _tell(report: Report, seconds: float, as_json: bool) -> None:
    if as_json:
        document = {
            "findings": [each.as_json() for each in report.findings],
            "checked": list(report.checked),
            "unchecked": [{"what": each.what, "because": each.because} for each in report.unchecked],
            "seconds": round(seconds, 3),
        }
        typer.echo(json.dumps(document, ensure_ascii=False, indent=2))
        return
    if text := report.text():
        typer.echo(text + "\n")
    if not report.checked and not report.findings:
        typer.echo("nothing was checked: no variable names a database, a namespace or a storage account", err=True)
        return
    count = len(report.findings)
    faults = "no fault" if not count else f"{count} fault{'s' if count > 1 else ''}"
    left = f", {len(report.unchecked)} not" if report.unchecked else ""
    typer.echo(f"{faults}; {len(report.checked)} things checked{left}, in {seconds:.1f} s")
