"""A namespace on disk: what a turn has changed is committed before anybody is told of it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from peeklock.servicebus.broker import Namespace
from peeklock.servicebus.broker.message import Message
from peeklock.servicebus.broker.queue import Queue
from peeklock.servicebus.broker.subscription import Subscription
from peeklock.servicebus.paths import TRANSFER_SUFFIX
from peeklock.servicebus.topology import Topology

from .checking import damaged, reading
from .codec import Bodies, dump_entry, dump_rules, dump_settings
from .database import connect
from .errors import StoreError
from .restore import Definition, fill, merge, read_definition, read_records
from .turn import Turn

SUFFIX = ".sqlite3"
_LEDGER_SLACK = 1_000
_MESSAGE = "INSERT OR REPLACE INTO message VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_CONTENT = "INSERT OR REPLACE INTO content (entity, sequence, body) VALUES (?, ?, ?)"
_LEDGER = "INSERT INTO ledger VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_ENTITY = """
INSERT INTO entity (path, kind, settings, status, rules, record, next_sequence) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (path) DO UPDATE SET kind = excluded.kind, settings = excluded.settings, status = excluded.status,
  rules = excluded.rules, record = excluded.record, next_sequence = excluded.next_sequence
RETURNING id
"""
_TABLES = ("message", "content", "session", "duplicate")

Describe = Callable[[str], "dict[str, Any] | None"]
"""Tells what the administration API knows of an entity, as JSON, by its path in lower case."""


def stored_namespaces(folder: Path) -> list[str]:
    """List the namespaces that a data folder holds."""
    return sorted(unquote(path.name.removesuffix(SUFFIX)) for path in folder.glob(f"*{SUFFIX}"))


class Store:
    """The file of one namespace. Raises `StoreError` when it cannot be opened, or cannot be written any more."""

    def __init__(self, folder: Path, namespace: str) -> None:
        self.path = folder / (quote(namespace, safe="") + SUFFIX)
        self.database = connect(self.path)
        self._turn = Turn()
        self._ids: dict[Queue, int] = {}
        self._namespace: Namespace | None = None
        self._describe: Describe = lambda _: None
        self._cursor = 0
        self._oldest = 0

    def definition(self) -> Definition | None:
        """Return how the namespace was made; None when the file is new."""
        with reading(self.path):
            return read_definition(self.database)

    def merged(self, given: Topology) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the queues and topics that hold: what is stored goes before what is given, what was removed stays away."""
        with reading(self.path):
            return merge(self.database, given)

    def records(self) -> dict[str, dict[str, Any]]:
        """Return what the administration API knew of entities, by path in lower case."""
        with reading(self.path):
            return read_records(self.database)

    def restore(self, namespace: Namespace, describe: Describe) -> None:
        """Give a namespace that stands as `merged` says what it held, and keep everything that happens in it from now on."""
        self._namespace = namespace
        self._describe = describe
        with reading(self.path):
            self._ids = fill(self.database, namespace)
            row = self.database.execute("SELECT MAX(n) FROM ledger").fetchone()
        self._cursor, self._oldest = row[0] or 0, namespace.ledger.dropped
        namespace.keep(self._turn.follow)
        for entity in list(namespace.entities()):
            for part in entity.parts():
                part.dispatch.pump()  # sessions become available, and forwards go on
        self.commit()

    def define(self, topology: dict[str, Any], port: int, started_at: float) -> None:
        """Keep what a namespace was made with, where it listens, and since when (epoch seconds) it has been there."""
        assert self._namespace is not None
        with self._transaction():
            self.database.execute("DELETE FROM namespace")
            row = (self._namespace.name, json.dumps(topology, default=str), port, started_at, self._cursor)
            self.database.execute("INSERT INTO namespace VALUES (?, ?, ?, ?, ?)", row)

    def redescribe(self, entity: Queue) -> None:
        """Keep anew what the administration API knows of an entity."""
        if entity.log.journal is not None:
            entity.log.journal.configured()

    def commit(self) -> None:
        """Write what has changed since the last commit. Raises `StoreError`: what was told to nobody is lost then."""
        turn, namespace = self._turn, self._namespace
        assert namespace is not None
        ledger = namespace.ledger
        if turn.empty and ledger.cursor == self._cursor:
            return
        with self._transaction():
            bodies = Bodies()
            self._write_entities(turn)
            self._write_messages(turn, bodies)
            self._write_histories(turn)
            rows = [dump_entry(entry, bodies) for entry in ledger.entries(self._cursor)]
            self._many(_LEDGER, rows)
            self.database.execute("UPDATE namespace SET cursor = ?", (ledger.cursor,))
            if ledger.dropped - self._oldest > _LEDGER_SLACK:
                self.database.execute("DELETE FROM ledger WHERE n <= ?", (ledger.dropped,))
                self._oldest = ledger.dropped
        self._cursor = ledger.cursor
        turn.clear()

    def close(self) -> None:
        """Close the file; all that was committed is in it."""
        self.database.close()

    def delete(self) -> None:
        """Close the file and delete it: the namespace is no more."""
        self.close()
        for suffix in ("", "-wal", "-shm"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)

    def _transaction(self) -> _Transaction:
        return _Transaction(self.database, self.path)

    def _write_entities(self, turn: Turn) -> None:
        for entity in turn.dropped:
            row = self._ids.pop(entity, None)
            if row is not None:
                self._empty(row)
                self.database.execute("DELETE FROM entity WHERE id = ?", (row,))
            if not entity.is_dead_letter:
                self.database.execute("INSERT OR IGNORE INTO removed VALUES (?)", (entity.name,))
        for entity in turn.defined:
            self._write_entity(entity)
        for entity in turn.purged:
            self._empty(self._ids[entity])
        counted = [(entity.log.next_sequence, self._ids[entity]) for entity in turn.counted if entity in self._ids]
        self._many("UPDATE entity SET next_sequence = ? WHERE id = ?", counted)

    def _write_entity(self, entity: Queue) -> None:
        kind, rules = entity.kind, None
        if entity.is_dead_letter:
            kind = "TransferDeadLetters" if TRANSFER_SUFFIX in entity.name else "DeadLetters"
        if isinstance(entity, Subscription):
            rules = dump_rules(list(entity.rules.values()))
        record = self._describe(entity.name.lower())
        row = (
            entity.name,
            kind,
            dump_settings(entity.settings),
            entity.gate.status,
            rules,
            None if record is None else json.dumps(record),
            entity.log.next_sequence,
        )
        self._ids[entity] = self.database.execute(_ENTITY, row).fetchone()[0]
        self.database.execute("DELETE FROM removed WHERE path = ?", (entity.name,))

    def _empty(self, row: int) -> None:
        for table in _TABLES:
            self.database.execute(f"DELETE FROM {table} WHERE entity = ?", (row,))  # noqa: S608 -- our own names

    def _write_messages(self, turn: Turn, bodies: Bodies) -> None:
        ids = self._ids
        gone = [(ids[entity], sequence) for entity, sequence in turn.left if entity in ids]
        for table in ("message", "content"):
            self._many(f"DELETE FROM {table} WHERE entity = ? AND sequence = ?", gone)  # noqa: S608
        rewritten = [*turn.new.items(), *turn.rewritten.items()]
        contents = [(ids[entity], message.sequence, bodies[message.content]) for message, entity in rewritten]
        self._many(_CONTENT, contents)
        self._many(_MESSAGE, [_row(ids[entity], message) for message, entity in [*rewritten, *turn.touched.items()]])

    def _many(self, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
        if rows:  # most turns change little, and a statement costs as much for none
            self.database.executemany(statement, rows)

    def _write_histories(self, turn: Turn) -> None:
        for entity, key, at in turn.seen:
            self.database.execute("INSERT OR REPLACE INTO duplicate VALUES (?, ?, ?)", (self._ids[entity], key, at))
        for entity, at in {entity: at for entity, _, at in turn.seen}.items():
            window = entity.settings.duplicate_detection_window or 0.0
            self.database.execute(
                "DELETE FROM duplicate WHERE entity = ? AND at <= ?", (self._ids[entity], at - window)
            )
        for (entity, session_id), (state, at) in turn.states.items():
            place = (self._ids[entity], session_id)
            if state is None:
                self.database.execute("DELETE FROM session WHERE entity = ? AND id = ?", place)
            else:
                row = (*place, state, at)
                self.database.execute("INSERT OR REPLACE INTO session VALUES (?, ?, ?, ?)", row)


class _Transaction:
    """All or nothing, and the file's errors in words."""

    def __init__(self, database: sqlite3.Connection, path: Path) -> None:
        self._database = database
        self._path = path

    def __enter__(self) -> None:
        self._run("BEGIN")

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None:
            self._run("COMMIT")
            return
        self._undo()
        if isinstance(error, sqlite3.Error):
            raise self._failed(error) from error

    def _run(self, statement: str) -> None:
        try:
            self._database.execute(statement)
        except sqlite3.Error as error:
            self._undo()
            raise self._failed(error) from error

    def _undo(self) -> None:
        with suppress(sqlite3.Error):  # nothing can be done to a file that is damaged
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")

    def _failed(self, error: sqlite3.Error) -> StoreError:
        if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CONSTRAINT):
            return damaged(self._path, error)
        return StoreError(
            f"{self._path} could not be written: {error}",
            "make room on its disk, then start again: everything that a client was answered is there",
        )


def _row(entity: int, message: Message) -> tuple[Any, ...]:
    return (
        entity,
        message.sequence,
        message.state,
        message.enqueued_at,
        message.expires_at,
        message.delivery_count,
        message.token,
        message.locked_until,
        message.consumer,
        message.origin,
        message.hops,
    )
