"""The SQLite file of one namespace: how it is opened, and its tables."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from .checking import Damage, check_tables, damaged
from .errors import StoreError

SCHEMA_VERSION = 2
_READABLE = (1, SCHEMA_VERSION)
"""The contents of format 1 are written in another way; `codec` reads both."""
_CHECKPOINT = 4_000
"""Pages in the write-ahead log before they go into the file, which costs two fsyncs: 16 MB."""
_OF_THE_DISK = (
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_PERM,
)
_SCHEMA = """
CREATE TABLE namespace (
  name TEXT NOT NULL, topology TEXT NOT NULL, port INTEGER NOT NULL, started_at REAL NOT NULL, cursor INTEGER NOT NULL
);
CREATE TABLE entity (
  id INTEGER PRIMARY KEY, path TEXT NOT NULL COLLATE NOCASE UNIQUE, kind TEXT NOT NULL, settings TEXT NOT NULL, status TEXT NOT NULL,
  rules BLOB, record TEXT, next_sequence INTEGER NOT NULL
);
CREATE TABLE removed (path TEXT COLLATE NOCASE PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE message (
  entity INTEGER NOT NULL, sequence INTEGER NOT NULL, state TEXT NOT NULL, enqueued_at REAL NOT NULL, expires_at REAL,
  delivery_count INTEGER NOT NULL, token BLOB NOT NULL, locked_until REAL NOT NULL,
  consumer TEXT, origin INTEGER, hops INTEGER NOT NULL, PRIMARY KEY (entity, sequence)
) WITHOUT ROWID;
CREATE TABLE content (
  entity INTEGER NOT NULL, sequence INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (entity, sequence)
);
CREATE TABLE session (
  entity INTEGER NOT NULL, id TEXT NOT NULL, state BLOB NOT NULL, set_at REAL NOT NULL, PRIMARY KEY (entity, id)
) WITHOUT ROWID;
CREATE TABLE duplicate (
  entity INTEGER NOT NULL, key TEXT NOT NULL, at REAL NOT NULL, PRIMARY KEY (entity, key)
) WITHOUT ROWID;
CREATE INDEX duplicate_age ON duplicate (entity, at);
CREATE TABLE ledger (
  n INTEGER PRIMARY KEY, at REAL NOT NULL, queue TEXT NOT NULL, event TEXT NOT NULL, sequence INTEGER NOT NULL,
  message_id TEXT NOT NULL, delivery INTEGER NOT NULL, consumer TEXT, details TEXT, body BLOB
);
"""


def connect(path: Path) -> sqlite3.Connection:
    """Open the file of a namespace, made now if it is not there, for this process alone. Raises `StoreError`."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))  # it holds keys: for its owner only
    except OSError as error:
        raise StoreError(
            f"the data folder cannot be used: {path.parent}: {error.strerror}", "name a folder that can be written"
        ) from None
    database = sqlite3.connect(path, timeout=0.0, isolation_level=None)
    try:
        _prepare(database, path)
    except Exception as error:
        database.close()
        raise _told(path, error) from error
    return database


def _told(path: Path, error: Exception) -> Exception:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreError(f"{path} is in use by another emulator", "end that one, or name another folder")
    if code in _OF_THE_DISK:
        return StoreError(f"{path} cannot be opened: {error}", "see to the folder's disk and its rights")
    if code == sqlite3.SQLITE_NOTADB:
        return StoreError(f"{path} is no store of the emulator: {error}", "name another folder, or delete it")
    return error if isinstance(error, StoreError) else damaged(path, error)


def _prepare(database: sqlite3.Connection, path: Path) -> None:
    database.execute("PRAGMA locking_mode = EXCLUSIVE")
    database.execute("PRAGMA journal_mode = WAL")
    # the end of this process loses nothing that was committed; a power cut may lose the last moments, never the file
    database.execute("PRAGMA synchronous = NORMAL")
    database.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT}")
    version = database.execute("PRAGMA user_version").fetchone()[0]
    if version == 0:
        database.executescript(f"BEGIN EXCLUSIVE; {_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
    elif version not in _READABLE:
        raise StoreError(
            f"{path} was written in format {version}; this version reads format {SCHEMA_VERSION}",
            "name another folder, or delete this one",
        )
    (found,) = database.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise Damage(str(found))
    missing = _tables(_SCHEMA) - _tables(*(row[0] for row in database.execute("SELECT sql FROM sqlite_master")))
    if missing:
        raise Damage(f"the table {min(missing)} is missing, or another one")
    check_tables(database)
    if version != SCHEMA_VERSION:
        database.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _tables(*statements: str | None) -> set[str]:
    """Return the definitions of tables, in one line each."""
    parts = (part for statement in statements for part in (statement or "").split(";"))
    return {" ".join(part.split()) for part in parts if "CREATE TABLE" in part}
