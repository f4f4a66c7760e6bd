"""An SQL text in a few words: verbs and tables, and nothing that anybody has written as a value."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peeklock.stack.relay.postgres.statements import read_statements


def one(text: str) -> tuple[str, tuple[str, ...]]:
    (statement,) = read_statements(text)
    return statement.text, statement.changes


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("insert into orders (a) values ('x')", "INSERT orders"),
        ('INSERT INTO public."Order" VALUES ($1)', "INSERT Order"),
        ("UPDATE ONLY billing.invoices SET a = 1", "UPDATE billing.invoices"),
        ("/* a /* nested */ one */ -- more\nDELETE FROM jobs WHERE id = 5", "DELETE jobs"),
        (
            "MERGE INTO t USING s ON true WHEN MATCHED THEN UPDATE SET a=1 WHEN NOT MATCHED THEN INSERT (a) VALUES (1)",
            "MERGE t",
        ),
        ("INSERT INTO t (a) VALUES (1) ON CONFLICT (a) DO UPDATE SET b = 2", "INSERT t"),
        ("WITH gone AS (DELETE FROM a RETURNING *) INSERT INTO b SELECT * FROM gone", "DELETE a + INSERT b"),
        ("COPY orders (a, b) FROM STDIN", "COPY orders"),
        ("TRUNCATE TABLE ONLY a", "TRUNCATE a"),
        ("CREATE TABLE IF NOT EXISTS t (a int)", "CREATE TABLE t"),
        ("CREATE UNIQUE INDEX CONCURRENTLY ON t (a)", "CREATE INDEX"),
        ("CREATE OR REPLACE FUNCTION f() RETURNS int BEGIN ATOMIC; SELECT 1; END", "CREATE FUNCTION f"),
        ("ALTER ROLE me PASSWORD 'hush'", "ALTER ROLE me"),
        ("CALL charge('4111')", "CALL charge"),
        ("DO $x$ BEGIN DELETE FROM t; END $x$", "DO"),
        ("NOTIFY jobs, 'hush'", "NOTIFY jobs"),
    ],
)
def test_what_changes_something_is_a_change(text: str, told: str) -> None:
    found, changes = one(text)
    assert (found, " + ".join(changes)) == (told, told)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("SELECT 1", "SELECT"),
        ("(SELECT a FROM jobs j JOIN result r USING (id)) UNION SELECT 1", "SELECT jobs, result"),
        ("SELECT * FROM jobs WHERE a IS DISTINCT FROM b FOR UPDATE SKIP LOCKED", "SELECT jobs"),
        ("SELECT extract(epoch FROM created) FROM jobs", "SELECT jobs"),
        ("WITH x AS (SELECT * FROM a) SELECT * FROM x FOR NO KEY UPDATE", "SELECT a, x"),
        ("SELECT 'INSERT INTO t', \"UPDATE\" FROM q", "SELECT q"),
        ("SELECT $$DELETE FROM t$$, E'\\'; DROP TABLE t', $1", "SELECT"),
        ("COPY orders TO STDOUT", "COPY orders"),
        ("COPY (SELECT * FROM a) TO STDOUT", "COPY"),
        ("CREATE TEMP TABLE t (a int)", "CREATE TEMPORARY"),
        ("SET search_path = a", "SET"),
        ("SAVEPOINT a", "SAVEPOINT"),
        ("ROLLBACK TO SAVEPOINT a", "ROLLBACK TO"),
    ],
)
def test_what_only_reads_is_none(text: str, told: str) -> None:
    assert one(text) == (told, ())


def test_the_ends_of_transactions_are_known_in_all_their_words() -> None:
    told = read_statements(
        "BEGIN; START TRANSACTION; COMMIT; end work; COMMIT AND CHAIN; ROLLBACK; abort; commit and no chain;;"
    )
    assert [(each.kind, each.chained) for each in told] == [
        ("begin", False), ("begin", False), ("commit", False), ("commit", False), ("commit", True), ("rollback", False),
        ("rollback", False), ("commit", False),
    ]  # fmt: skip


@given(st.text(max_size=300))
def test_any_text_is_read_without_an_error(text: str) -> None:
    read_statements(text)


@given(st.text(alphabet='01234567890abcdefghij\\"$-/*; ', min_size=12, max_size=40))
def test_no_literal_is_ever_told(value: str) -> None:
    secret = f"s3cret{value}"
    quoted = "'" + secret.replace("'", "''") + "'"
    tag = "$q_q$"
    for text in (
        f"INSERT INTO t VALUES ({quoted})",
        f"UPDATE t SET a = {tag}{secret}{tag}",
        f"SELECT {quoted} FROM t -- {secret}",
    ):
        for cut in range(0, len(text), 3):
            assert "s3cret" not in "".join(statement.text for statement in read_statements(text[:cut]))
