"""What is seen of transactions of real clients of a real Postgres, through the relay of an environment."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import psycopg
import pytest
from psycopg_pool import ConnectionPool

from peeklock.stack.backend import Environment, HeldCommit
from peeklock.stack.faults import KINDS
from peeklock.stack.local import LocalStack
from tests.conformance.stack.conftest import Project

TABLES = "CREATE TABLE orders (id int PRIMARY KEY, note text); CREATE TABLE jobs (id int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED)"


@pytest.fixture
def environment(backend: type[LocalStack], project: Project) -> Iterator[Environment]:
    with backend.start(project.root, room=1) as stack:
        environment = stack.environment(project.spec(relayed=True, blobs=False, servicebus=False))
        with psycopg.connect(str(environment.endpoints.postgres_url), autocommit=True) as own:
            own.execute(TABLES)
        yield environment


def url(environment: Environment) -> str:
    return environment.seen.service_postgres_urls["api"]


def told(environment: Environment) -> list[tuple[str, str, str]]:
    seen = environment.faults.transactions()
    assert seen.unseen == []
    return [(each.service, " + ".join(each.changes), each.end) for each in seen.seen]


def rows(environment: Environment, table: str) -> int:
    with psycopg.connect(str(environment.endpoints.postgres_url)) as own:
        found = own.execute(f"SELECT count(*) FROM {table}").fetchone()
        return int(found[0]) if found is not None else 0


def test_every_way_in_which_psycopg_commits_is_seen(environment: Environment) -> None:
    with psycopg.connect(url(environment)) as connection:
        connection.execute("SELECT 1")
        connection.rollback()
        connection.execute("INSERT INTO orders VALUES (1, 's3cret')")  # simple: without parameters
        connection.commit()
        for number in range(2, 10):  # prepared by the fifth
            connection.execute("INSERT INTO orders VALUES (%s, %s)", (number, "s3cret"), prepare=None)
        connection.execute("UPDATE orders SET note = %s WHERE id = -1", ("s3cret",))
        connection.execute("INSERT INTO jobs VALUES (1)")
        connection.commit()
        connection.execute("DELETE FROM orders")
        connection.rollback()
        with connection.pipeline():
            connection.execute("INSERT INTO jobs VALUES (%s)", (2,))
            connection.execute("DELETE FROM orders WHERE id = %s", (1,))
            connection.commit()
        with connection.cursor().copy("COPY orders (id, note) FROM STDIN") as copy:
            for number in range(100, 5100):
                copy.write_row((number, "s3cret" * 20))
        connection.commit()
        with contextlib.suppress(psycopg.errors.UniqueViolation):
            connection.execute("INSERT INTO jobs VALUES (7)")
            connection.execute("INSERT INTO orders VALUES (2, 'twice')")
        connection.rollback()
        connection.execute("INSERT INTO jobs VALUES (1)")
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.commit()  # its constraint is deferred
    with psycopg.connect(url(environment), autocommit=True) as connection:
        connection.execute("UPDATE orders SET note = 'x' WHERE id = %s", (3,))
        connection.execute("UPDATE orders SET note = 'x' WHERE id = %s", (-3,))
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("INSERT INTO orders VALUES (%s, 'twice')", (2,))
        with connection.transaction():
            connection.execute("INSERT INTO orders VALUES (20, 'a')")
            with contextlib.suppress(psycopg.errors.UniqueViolation), connection.transaction():
                connection.execute("INSERT INTO orders VALUES (20, 'a')")
            connection.execute("INSERT INTO jobs VALUES (20)")
        with connection.cursor() as cursor:
            cursor.executemany("INSERT INTO jobs VALUES (%s)", [(number,) for number in range(30, 33)])
        assert len(connection.execute("SELECT * FROM orders ORDER BY id").fetchall()) > 5000
    assert told(environment) == [
        ("api", "INSERT orders", "committed"),
        ("api", "INSERT orders + INSERT jobs", "committed"),
        ("api", "DELETE orders", "rolled back"),
        ("api", "INSERT jobs + DELETE orders", "committed"),
        ("api", "COPY orders", "committed"),
        ("api", "INSERT jobs", "rolled back"),
        ("api", "INSERT jobs", "failed"),
        ("api", "UPDATE orders", "committed"),
        ("api", "INSERT orders + INSERT jobs", "committed"),
        ("api", "INSERT jobs", "committed"),
    ]
    assert "s3cret" not in str(environment.faults.transactions())


def test_connections_of_a_pool_are_each_read_by_themselves(environment: Environment) -> None:
    with ConnectionPool(url(environment), min_size=2, max_size=2, open=True) as pool, pool.connection() as one:
        one.execute("INSERT INTO orders VALUES (1, 'a')")
        with pool.connection() as other:
            other.execute("INSERT INTO jobs VALUES (1)")
    assert told(environment) == [("api", "INSERT jobs", "committed"), ("api", "INSERT orders", "committed")]


def test_who_comes_by_the_door_of_everybody_is_known_by_what_it_calls_itself(environment: Environment) -> None:
    for number, name in enumerate(("env0:api", "env0:nobody", "mine")):
        with psycopg.connect(str(environment.seen.postgres_url), application_name=name) as connection:
            connection.execute("INSERT INTO jobs VALUES (%s)", (number,))
    assert [service for service, _, _ in told(environment)] == ["api", "", ""]


@pytest.mark.parametrize(("kind", "kept"), [("lost_commit", 0), ("lost_commit_answer", 1)])
@pytest.mark.parametrize("autocommit", [False, True])
def test_a_lost_commit_is_not_done_and_one_whose_answer_is_lost_is(
    environment: Environment, kind: str, kept: int, autocommit: bool
) -> None:
    environment.faults.begin(
        "postgres", KINDS[kind].model_validate({"changes": "INSERT orders", "by": "api", "nth": 2}), times=1
    )
    with psycopg.connect(url(environment), autocommit=autocommit) as connection:
        connection.execute("INSERT INTO orders VALUES (1, 'first')")
        connection.commit()
        connection.execute("INSERT INTO jobs VALUES (1)")
        connection.commit()
        with pytest.raises(psycopg.OperationalError), connection.transaction():
            connection.execute("INSERT INTO orders VALUES (%s, 'second')", (2,))
        connection.close()
    assert rows(environment, "orders") == 1 + kept
    with psycopg.connect(url(environment), autocommit=autocommit) as connection:
        connection.execute("INSERT INTO orders VALUES (3, 'third')")
        connection.commit()
    assert told(environment)[2][1:] == ("INSERT orders", "committed" if kept else "connection lost")


@pytest.mark.parametrize("done", [False, True])
def test_a_held_commit_is_done_or_not_as_it_is_said(environment: Environment, done: bool) -> None:
    hold = environment.faults.hold_commit(HeldCommit("api", ("INSERT orders",), done))
    assert not hold.reached()
    with psycopg.connect(url(environment), autocommit=True) as connection:
        connection.pgconn.send_query(b"INSERT INTO orders VALUES (1, 'a')")
        for _ in range(1000):
            if hold.reached():
                break
        assert hold.reached()
        assert rows(environment, "orders") == done
        hold.end()
        with contextlib.suppress(psycopg.Error):
            while connection.pgconn.get_result() is not None:
                pass
        connection.close()
    assert rows(environment, "orders") == done


def test_an_offer_of_tls_that_the_server_refuses_changes_nothing(environment: Environment) -> None:
    with pytest.raises(psycopg.OperationalError, match="SSL"):
        psycopg.connect(url(environment) + "?sslmode=require")
    with psycopg.connect(url(environment) + "?sslmode=prefer", autocommit=True) as connection:
        connection.execute("CREATE TABLE t (a int)")
    assert told(environment) == [("api", "CREATE TABLE t", "committed")]
