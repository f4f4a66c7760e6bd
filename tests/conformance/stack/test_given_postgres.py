"""A Postgres that runs elsewhere: databases of the run's own, nothing else touched, nothing left."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from peeklock.scenario.topology import Stack
from peeklock.stack.backend import EnvironmentSpec
from peeklock.stack.embedded.stack import EmbeddedStack
from peeklock.stack.errors import StackError
from peeklock.stack.servers.made import Made
from tests.conformance.stack.conftest import Project

VARIABLE = "GIVEN_POSTGRES"


@pytest.fixture
def elsewhere(project: Project, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a server of another stack, as a role that may create databases and nothing else."""
    with EmbeddedStack.start(project.root / "elsewhere", ["postgres"], room=1) as other:
        server = other.servers.postgres()
        url = server.url("postgres")
        with (Path(server.state["data"]) / "pg_hba.conf").open("a") as access:
            access.write("host all tester 127.0.0.1/32 scram-sha-256\n")
        execute(url, "SELECT pg_reload_conf()")
        execute(url, "CREATE ROLE tester LOGIN CREATEDB PASSWORD 's3cret/:@'")
        execute(url, "CREATE DATABASE pk00000000_env_7")
        parts = urlsplit(url)
        own = parts._replace(netloc=f"tester:s3cret%2F%3A%40@127.0.0.1:{parts.port}").geturl()
        monkeypatch.setenv(VARIABLE, own)
        yield url


def execute(url: str, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        done = connection.execute(statement.encode())
        return done.fetchall() if done.description else []


def names(url: str) -> set[str]:
    return {name for (name,) in execute(url, "SELECT datname FROM pg_database WHERE datname LIKE 'pk%'")}


@pytest.fixture
def spec(project: Project) -> EnvironmentSpec:
    wanted = {"postgres": {"url": VARIABLE, "migrations": str(project.root / "migrations"), "seed": []}}
    plain = project.spec(services={}, blobs=False, servicebus=False)
    return replace(plain, stack=Stack.model_validate(wanted))


def test_it_has_databases_of_this_run_alone(project: Project, spec: EnvironmentSpec, elsewhere: str) -> None:
    told: list[str] = []
    with EmbeddedStack.start(project.root, room=2, progress=told.append) as stack:
        assert stack.lacks(spec.stack) == ""
        environment = stack.environment(spec)
        url = environment.endpoints.postgres_url or ""
        assert execute(url, "SELECT id, current_user::text FROM things") == [(7, "tester")]
        execute(url, "DELETE FROM things")
        environment.reset()
        assert execute(url, "SELECT id FROM things") == [(7,)]
        assert len(names(elsewhere)) == 3  # a template, a database, and one that is not of this run
    assert names(elsewhere) == {"pk00000000_env_7"}
    assert any("stands for `url`" in each for each in told)
    assert not any("s3cret" in each for each in told)


def test_what_a_killed_run_has_left_is_removed_and_nothing_else(
    project: Project, spec: EnvironmentSpec, elsewhere: str
) -> None:
    """Only what this machine's own list of made names says; not what merely looks like it, nor whatever stands in the list."""
    parts = urlsplit(elsewhere)
    list_of_one_that_was_killed = Made.begin(f"postgres tester@127.0.0.1:{parts.port}")
    for name in ("pk11111111_env_0", "pk11111111_tpl_0a", "precious"):
        list_of_one_that_was_killed.note(name.replace("_0a", "_0a_new"))  # renamed when it was whole
        execute(elsewhere, f"CREATE DATABASE {name} OWNER tester")
    list_of_one_that_was_killed._file.close()
    told: list[str] = []
    with EmbeddedStack.start(project.root, room=2, progress=told.append) as stack:
        stack.environment(spec)
        assert not {"pk11111111_env_0", "pk11111111_tpl_0a"} & names(elsewhere)
        assert "pk00000000_env_7" in names(elsewhere)
    assert execute(elsewhere, "SELECT 1 FROM pg_database WHERE datname = 'precious'") == [(1,)]
    assert any("which was killed had left" in each for each in told)


def test_one_that_cannot_be_reached_is_told_without_its_password(
    project: Project, spec: EnvironmentSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "postgresql://tester:hidden@127.0.0.1:1/postgres")
    with EmbeddedStack.start(project.root, room=1) as stack, pytest.raises(StackError) as caught:
        stack.environment(spec)
    assert "hidden" not in str(caught.value)


def test_a_variable_that_is_not_set_is_a_reason_to_skip(project: Project, spec: EnvironmentSpec) -> None:
    with EmbeddedStack.start(project.root, room=1) as stack:
        assert f"{VARIABLE} is not set" in stack.lacks(spec.stack)
