"""A store that is not as the emulator has written it: an error that names the file and the remedy, and nothing else."""

from __future__ import annotations

import random
import shutil
import sqlite3
from contextlib import closing, suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from peeklock.errors import PeeklockError
from peeklock.servicebus.broker.errors import BrokerError
from peeklock.servicebus.store import StoreError
from peeklock.servicebus.store.file import stored_namespaces

from .test_store import Life, message, play

PAGE = 4_096
TABLES = ("namespace", "entity", "removed", "message", "content", "session", "duplicate", "ledger")


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """The folder of a namespace with something in each of its tables."""
    folder = tmp_path_factory.mktemp("sound")
    life = Life(folder)
    life.namespace.remove(life.namespace.add_queue("gone", life.entity("q").settings))
    acts = ["send", "receive", "complete", "defer", "schedule", "session", "state", "forward", "bury", "repeat", "send"]
    play(life, [(name, pick) for pick in (0, 2, 5) for name in acts])
    life.store.commit()
    life.store.close()
    with closing(sqlite3.connect(folder / "ns.sqlite3")) as database:
        counts = {table: database.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0] for table in TABLES}
        assert all(counts.values()), counts
        assert database.execute("PRAGMA journal_mode = DELETE").fetchone() == ("delete",)  # all is in the one file
    return folder


# -- sixteen ways to spoil a file: seven by its bytes, nine by SQL


def flip_a_bit(raw, rng):
    raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)


def flip_many_bits(raw, rng):
    for _ in range(50):
        flip_a_bit(raw, rng)


def fill_a_page_with_garbage(raw, rng):
    page = rng.randrange(len(raw) // PAGE)
    raw[page * PAGE : (page + 1) * PAGE] = rng.randbytes(PAGE)


def fill_a_page_with_nothing(raw, rng):
    page = rng.randrange(len(raw) // PAGE)
    raw[page * PAGE : (page + 1) * PAGE] = bytes(PAGE)


def swap_two_pages(raw, rng):
    one, two = (rng.randrange(len(raw) // PAGE) * PAGE for _ in range(2))
    raw[one : one + PAGE], raw[two : two + PAGE] = raw[two : two + PAGE], raw[one : one + PAGE]


def cut_it_short(raw, rng):
    del raw[rng.randrange(len(raw)) :]


def write_over_the_beginning(raw, rng):
    raw[: rng.randrange(1, 200)] = rng.randbytes(100)


BYTES = [
    flip_a_bit,
    flip_many_bits,
    fill_a_page_with_garbage,
    fill_a_page_with_nothing,
    swap_two_pages,
    cut_it_short,
    write_over_the_beginning,
]


def drop_a_table(database, rng):
    database.execute(f"DROP TABLE {rng.choice(TABLES)}")


def make_another_table(database, rng):
    table = rng.choice(TABLES)
    database.execute(f"DROP TABLE {table}")
    database.execute(f"CREATE TABLE {table} (x)")


def drop_a_column(database, rng):
    database.execute("ALTER TABLE ledger DROP COLUMN details")


def say_another_format(database, rng):
    database.execute(f"PRAGMA user_version = {rng.choice((0, 3, 99))}")


def write_a_wrong_value(database, rng):
    table = rng.choice(TABLES)
    columns = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
    values = ("words", -5, 1 << 62, 9e200, b"\xff\x00", "[" * 5_000, "{}", "null", '{"lock_duration": "x"}', "")
    row = rng.choice(database.execute(f"SELECT {rng.choice(columns)} FROM {table}").fetchall())
    column = rng.choice(columns)
    with suppress(sqlite3.IntegrityError):  # what SQLite does not take is not there
        database.execute(f"UPDATE OR IGNORE {table} SET {column} = ? WHERE {column} = ?", (rng.choice(values), row[0]))
        database.execute(f"UPDATE OR IGNORE {table} SET {column} = ?", (rng.choice(values),))


def cut_a_blob(database, rng):
    table, column = rng.choice((("content", "body"), ("ledger", "body"), ("entity", "rules"), ("session", "state")))
    database.execute(
        f"UPDATE {table} SET {column} = substr({column}, 1, ?) WHERE {column} IS NOT NULL", (rng.randrange(90),)
    )


def spoil_a_blob(database, rng):
    table, column = rng.choice((("content", "body"), ("ledger", "body"), ("entity", "rules")))
    found = database.execute(f"SELECT rowid, {column} FROM {table} WHERE {column} IS NOT NULL").fetchall()
    row, blob = rng.choice(found)
    spoilt = bytearray(blob)
    for _ in range(rng.randrange(1, 5)):
        spoilt[rng.randrange(len(spoilt))] = rng.randrange(256)
    database.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (bytes(spoilt), row))


def delete_a_row(database, rng):
    table = rng.choice(TABLES)
    column = {"namespace": "name", "removed": "path", "ledger": "n"}.get(table, "id" if table == "entity" else "entity")
    (key,) = rng.choice(database.execute(f"SELECT {column} FROM {table}").fetchall())
    database.execute(f"DELETE FROM {table} WHERE {column} = ?", (key,))


def move_rows_to_another_entity(database, rng):
    table = rng.choice(("message", "content", "session", "duplicate"))
    database.execute(f"UPDATE OR IGNORE {table} SET entity = entity + ?", (rng.choice((1, 3, 1_000)),))


ROWS = [
    drop_a_table,
    make_another_table,
    drop_a_column,
    say_another_format,
    write_a_wrong_value,
    cut_a_blob,
    spoil_a_blob,
    delete_a_row,
    move_rows_to_another_entity,
]


def spoil(path, way, rng):
    if way in BYTES:
        raw = bytearray(path.read_bytes())
        way(raw, rng)
        path.write_bytes(raw)
        return
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        way(database, rng)


@pytest.mark.parametrize("way", [*BYTES, *ROWS], ids=lambda way: way.__name__)
@settings(max_examples=15)
@given(st.integers(0, 1 << 30))
def test_a_damaged_store_is_an_error_with_a_remedy_or_works(way, sound, tmp_path_factory, seed):
    """Never anything else, neither when it is opened nor when the namespace is used: it tells the file and what to do."""
    folder = tmp_path_factory.mktemp("spoilt")
    path = shutil.copy(sound / "ns.sqlite3", folder / "ns.sqlite3")
    spoil(path, way, random.Random(seed))
    told = outcome(folder)
    assert told is None or (str(path) in told.problem and told.fix)
    shutil.rmtree(folder)


def outcome(folder):
    """Open what is there and use it; return how the store refused."""
    assert stored_namespaces(folder) == ["ns"]
    life = None
    try:
        life = Life(folder)
        use(life)
    except StoreError as refused:
        return refused
    finally:
        if life is not None:
            life.store.close()
    return None


def use(life):
    """Do what clients do to whatever is there; what the broker refuses, it may refuse."""
    life.store.records()
    for entity in [part for owner in life.namespace.entities() for part in owner.parts()]:
        try:
            for each in entity.peek(0, 1_000):
                each.content.facts()
                each.content.wire(each.sequence, each.enqueued_at, 0, each.delivery_count, None, each.origin)
            if entity.sessions is None:
                entity.send([message("new")])
        except BrokerError:
            pass
    play(
        life,
        [("receive", 0), ("abandon", 0), ("bury", 0), ("deferred", 1), ("advance", 99), ("commit", 0), ("purge", 0)],
    )
    life.store.commit()


@pytest.mark.parametrize("way", [drop_a_table, drop_a_column, fill_a_page_with_garbage, cut_it_short])
def test_what_is_surely_damaged_is_not_opened(way, sound, tmp_path):
    """Nothing is lost in silence."""
    for seed in range(10):
        path = shutil.copy(sound / "ns.sqlite3", tmp_path / "ns.sqlite3")
        spoil(path, way, random.Random(seed))
        with pytest.raises(StoreError, match=r"ns\.sqlite3 is (damaged|no store)") as told:
            Life(tmp_path).store.close()
        assert isinstance(told.value, PeeklockError)


def test_a_message_without_its_content_is_not_lost_in_silence(sound, tmp_path):
    path = shutil.copy(sound / "ns.sqlite3", tmp_path / "ns.sqlite3")
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("DELETE FROM content WHERE rowid = (SELECT MIN(rowid) FROM content)")
    with pytest.raises(StoreError, match=r"message: .* has no content"):
        Life(tmp_path)
