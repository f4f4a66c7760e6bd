"""The namespace that a command looks into: by its connection string, or that of the environment that stands."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from peeklock import servicebus
from peeklock.cli import env
from peeklock.cli.exits import NO_STACK, exits
from peeklock.errors import PeeklockError
from peeklock.redaction import redact
from peeklock.stack.errors import StackError

ConnectionString = Annotated[
    str,
    typer.Option(
        envvar="AZURE_SERVICEBUS_CONNECTION_STRING",
        help="of the namespace; default: that of the environment that stands",
        show_envvar=True,
    ),
]


@contextmanager
def connected(connection_string: str) -> Iterator[servicebus.Client]:
    """Yield a client; what fails ends the command with a sentence."""
    with exits():
        connection_string = connection_string or connection_string_of(None)
    try:
        with servicebus.Client(connection_string) as client:
            yield client
    except (PeeklockError, ValueError, OSError) as error:
        typer.echo(f"error: {redact(str(error))}", err=True)
        raise typer.Exit(NO_STACK) from None


def connection_string_of(environment: str | None) -> str:
    """Return that of the environment of this name, or of the only one that stands. Raises `StackError`."""
    if found := env.choose(environment).servicebus_connection_string:
        return found
    raise StackError(
        "which namespace? the environment that stands has no Service Bus",
        fix="say --connection-string, or set AZURE_SERVICEBUS_CONNECTION_STRING",
    )
