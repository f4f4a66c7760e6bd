"""What stands in a store is checked as it is read: a damaged file is an error that says what to do, whatever is damaged in it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from peeklock.servicebus.settings import MAX_SECONDS

from .errors import StoreError

_WRONG = {
    "number": "typeof({0}) != 'integer' OR {0} < 0",
    "count": f"typeof({{0}}) != 'integer' OR {{0}} NOT BETWEEN 0 AND {(1 << 31) - 1}",
    "time": f"typeof({{0}}) NOT IN ('integer', 'real') OR {{0}} NOT BETWEEN -{MAX_SECONDS} AND {MAX_SECONDS}",
    "text": "typeof({0}) != 'text'",
    "bytes": "typeof({0}) != 'blob'",
    "token": "typeof({0}) != 'blob' OR length({0}) NOT IN (0, 16)",
}
"""When a value is not of a kind, in SQL: the file is looked through in a fraction of the time that Python would take."""
_COLUMNS = {
    "namespace": {"name": "text", "topology": "text", "port": "count", "started_at": "time", "cursor": "number"},
    "entity": {
        "id": "number", "path": "text", "kind": "text", "settings": "text", "status": "text", "rules": "bytes?", "record": "text?",
        "next_sequence": "number",
    },
    "removed": {"path": "text"},
    "message": {
        "entity": "number", "sequence": "number", "state": "text", "enqueued_at": "time", "expires_at": "time?",
        "delivery_count": "count", "token": "token", "locked_until": "time", "consumer": "text?", "origin": "number?", "hops": "count",
    },
    "content": {"entity": "number", "sequence": "number", "body": "bytes"},
    "session": {"entity": "number", "id": "text", "state": "bytes", "set_at": "time"},
    "duplicate": {"entity": "number", "key": "text", "at": "time"},
    "ledger": {
        "n": "number", "at": "time", "queue": "text", "event": "text", "sequence": "number", "message_id": "text",
        "delivery": "count", "consumer": "text?", "details": "text?", "body": "bytes?",
    },
}  # fmt: skip
"""The kind of each column, with a `?` where it may be null."""


class Damage(Exception):
    """Something that no emulator has written: says what and where."""


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn whatever goes wrong while a file is read into a `StoreError`."""
    try:
        yield
    except StoreError:
        raise
    except Exception as error:  # a spoilt byte may make any part of the reading fail, in any way
        raise damaged(path, error) from error


def damaged(path: Path, error: Exception) -> StoreError:
    """Return what to tell of a file that is not as the emulator has written it."""
    told = str(error) if isinstance(error, Damage | sqlite3.Error) else f"{type(error).__name__}: {error}"
    return StoreError(
        f"{path} is damaged: {told}",
        "delete the file, and the namespace begins empty; or name another data folder, or put a copy of the file in its place "
        f"(`sqlite3 {path.name} .recover` may save some of it)",
    )


def check(good: bool, what: str) -> None:
    """Raise `Damage` unless what was read is as it should be."""
    if not good:
        raise Damage(what)


def check_tables(database: sqlite3.Connection) -> None:
    """Raise `Damage` for a value that is not of its column's kind, and for rows that belong to nothing."""
    for table, columns in _COLUMNS.items():
        for column, kind in columns.items():
            wrong = _WRONG[kind.rstrip("?")].format(column)
            if kind.endswith("?"):
                wrong = f"{column} IS NOT NULL AND ({wrong})"
            row = database.execute(f"SELECT {column} FROM {table} WHERE {wrong} LIMIT 1").fetchone()  # noqa: S608 -- our own names
            check(row is None, f"{table}: {column} is {row and row[0]!r:.60}, expected {kind.rstrip('?')}")
    for table in ("message", "content", "session", "duplicate"):
        row = database.execute(f"SELECT entity FROM {table} WHERE entity NOT IN (SELECT id FROM entity)").fetchone()  # noqa: S608
        check(row is None, f"{table}: a row is of the entity {row and row[0]}, which is not there")
    for one, other in (("message", "content"), ("content", "message")):
        query = (
            f"SELECT sequence FROM {one} LEFT JOIN {other} AS other USING (entity, sequence) WHERE other.entity IS NULL"  # noqa: S608
        )
        row = database.execute(query).fetchone()
        check(row is None, f"{one}: {row and row[0]} has no {other}")
