"""The SQLite file of one namespace: how it is opened, and its tables."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from .errors import StoreError

SCHEMA_VERSION = 1
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
    except sqlite3.OperationalError as error:
        database.close()
        if "locked" in str(error):
            raise StoreError(f"{path} is in use by another emulator", "end that one, or name another folder") from None
        raise StoreError(f"{path} cannot be opened: {error}", "see to the folder's disk and its rights") from None
    except sqlite3.DatabaseError as error:
        database.close()
        raise StoreError(f"{path} is no store of the emulator: {error}", "name another folder, or delete it") from None
    except StoreError:
        database.close()
        raise
    return database


def _prepare(database: sqlite3.Connection, path: Path) -> None:
    database.execute("PRAGMA locking_mode = EXCLUSIVE")
    database.execute("PRAGMA journal_mode = WAL")
    # the end of this process loses nothing that was committed; a power cut may lose the last moments, never the file
    database.execute("PRAGMA synchronous = NORMAL")
    version = database.execute("PRAGMA user_version").fetchone()[0]
    if version == 0:
        database.executescript(f"BEGIN EXCLUSIVE; {_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
    elif version != SCHEMA_VERSION:
        raise StoreError(
            f"{path} was written in format {version}; this version reads format {SCHEMA_VERSION}",
            "name another folder, or delete this one",
        )
