"""How a server of a stack fails while scenarios run on it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from peeklock.errors import PeeklockError
from peeklock.stack.errors import StackError
from peeklock.supervision.errors import exit_text


class AdministrationError(PeeklockError):
    """Postgres refused an administrative statement, or its connection was lost; the text is Postgres' own."""


def dead_dependency(name: str, code: int | None, log: Sequence[str], log_file: Path) -> StackError:
    """Postgres, Azurite or Service Bus ended while scenarios ran on it."""
    return StackError(
        f"{name} is no longer there: {exit_text(code) if code is not None else 'it does not answer'}",
        where=str(log_file),
        expected=f"{name} runs for as long as the stack does",
        fix="if something killed it (out of memory?), run again; after `peeklock up`: `peeklock down`, then `peeklock up`",
        log=log,
    )


def engine_gone(name: str, log: Sequence[str], log_file: Path) -> StackError:
    """The container engine ended under a stack."""
    return StackError(
        f"the container engine is no longer there, and {name} with it",
        where=str(log_file),
        expected="an engine that runs for as long as the stack does",
        fix="start it again; what is left of this stack is removed when the next one starts, or by `peeklock down --all`",
        log=log,
    )


def extension_missing(names: Sequence[str], version: str) -> StackError:
    """A file wants an extension in its database that the server cannot create."""
    return StackError(
        f"Postgres {version} has no extension {', '.join(names)}",
        expected="every extension of `stack.postgres.extensions` installed where the server runs",
        fix="name an image that has them (pgvector/pgvector:pg16, postgis/postgis:16-3.4), or install their packages",
    )


def migration_failed(path: Path, code: int, log: Sequence[str], secrets: Sequence[str] = ()) -> StackError:
    """A migration or a seed did not go through."""
    return StackError(
        f"the migrations failed: {exit_text(code)}",
        where=str(path),
        expected="a migrated template database",
        fix="the last lines say which statement; nothing was kept, the next run starts over",
        log=log,
        secrets=secrets,
    )
