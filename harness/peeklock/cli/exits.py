"""From what went wrong to an exit code and a text."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from peeklock.engine.events import RunFinished
from peeklock.engine.keyword import KeywordInvalid
from peeklock.errors import PeeklockError
from peeklock.scenario.errors import ScenarioInvalid

PASSED, FAILED, INVALID, NO_STACK, FLAKY = range(5)
INTERRUPTED = 130
"""What shells take for a command that Ctrl-C has ended."""


@contextmanager
def exits() -> Iterator[None]:
    """End the command with its exit code and the whole text of the error, and no traceback."""
    try:
        yield
    except ScenarioInvalid as error:
        for problem in error.problems:
            typer.echo(problem.render(), err=True)
            typer.echo("", err=True)
        count = len(error.problems)
        typer.echo(f"{count} problem{'s' if count > 1 else ''}; nothing was started", err=True)
        raise typer.Exit(INVALID) from None
    except KeywordInvalid as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(INVALID) from None
    except PeeklockError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(NO_STACK) from None


def exit_code(last: RunFinished) -> int:
    """Return what a run came to: what could not be judged is worse than what failed."""
    if last.errors:
        return NO_STACK
    if last.flaky and set(last.failed_cases) == set(last.flaky):
        return FLAKY
    return FAILED if last.failed or last.interrupted or last.unjudged else PASSED
