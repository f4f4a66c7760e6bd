"""`peeklock env` — enter what stands: variables for psql, the SDKs and `peeklock dlq`."""

from __future__ import annotations

import shlex
from typing import Annotated
from urllib.parse import unquote, urlsplit

import typer

from peeklock.cli.exits import exits
from peeklock.stack.errors import StackError
from peeklock.stack.project.root import stack_root
from peeklock.stack.warm.standing import Standing, standing


def env(
    name: Annotated[
        str | None, typer.Argument(help="the scenario file's name without .yaml; needed when several stand")
    ] = None,
) -> None:
    """Print `export` lines for a standing environment: eval "$(peeklock env NAME)", then psql, az or your own program.

    They hold its keys, which are worth nothing elsewhere.
    """
    with exits():
        found = choose(name)
    for key, value in variables(found).items():
        typer.echo(f"export {key}={shlex.quote(value)}")


def choose(name: str | None) -> Standing:
    """Return the environment of that name, or the only one; one that was kept before one of the warm stack.

    Raises `StackError` when there is none, or when it is not clear which.
    """
    every = standing(stack_root())
    named = [found for found in every if name in (None, found.name)]
    kept = [found for found in named if found.kept] or named
    if len({found.name for found in kept}) == 1:
        return kept[0]
    raise StackError(
        f"no environment {name!r} stands"
        if name
        else "no environment stands"
        if not every
        else "several environments stand",
        where=str(stack_root()),
        expected="one of " + ", ".join(sorted({found.name for found in every})) if every else "one that a run has left",
        fix="name it" if every else "`peeklock run FILE --keep`, or `peeklock up` and then `peeklock run FILE`",
    )


def variables(found: Standing) -> dict[str, str]:
    """Return the variables by which psql, Azure's SDKs and `peeklock dlq` reach an environment."""
    told: dict[str, str] = {}
    if found.postgres_url is not None:
        parts = urlsplit(found.postgres_url)
        told |= {
            "DATABASE_URL": found.postgres_url,
            "PGHOST": parts.hostname or "",
            "PGPORT": str(parts.port or ""),
            "PGUSER": unquote(parts.username or ""),
            "PGPASSWORD": unquote(parts.password or ""),
            "PGDATABASE": parts.path.lstrip("/"),
        }
    if found.blobs_connection_string is not None:
        told["AZURE_STORAGE_CONNECTION_STRING"] = found.blobs_connection_string
    if found.servicebus_connection_string is not None:
        told["AZURE_SERVICEBUS_CONNECTION_STRING"] = found.servicebus_connection_string
    for service, url in found.services.items():
        told[f"{service.upper().replace('-', '_')}_URL"] = url
    return told
