"""Faults in an environment: services reach everything through the relay, the test does not, and nothing outlives a reset."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from harness.stack import warm
from harness.stack.backend import Environment
from harness.stack.embedded import EmbeddedStack
from harness.stack.errors import StackError
from harness.stack.faults import KINDS
from tests.conformance.stack.conftest import Project


def settings_of(environment: Environment) -> dict[str, str]:
    """What the service `api` was told."""
    connection = http.client.HTTPConnection(
        "127.0.0.1", urlsplit(environment.services.url("api")).port or 0, timeout=10
    )
    try:
        connection.request("GET", "/")
        told: dict[str, str] = json.loads(connection.getresponse().read())
        return told
    finally:
        connection.close()


def reached(url: str | None) -> Any:
    with psycopg.connect(str(url), connect_timeout=5) as connection:
        return connection.execute("select id from things").fetchone()


def strikes_and_is_forgotten(environment: Environment) -> None:
    """`down` on postgres: for the service, not for the test, until the environment is reset."""
    told = settings_of(environment)
    assert told["DATABASE_URL"] == environment.seen.postgres_url != environment.endpoints.postgres_url
    assert told["AZURE_STORAGE_CONNECTION_STRING"] == environment.seen.blobs_connection_string
    assert reached(told["DATABASE_URL"]) == (7,)
    environment.faults.begin("postgres", KINDS["down"].model_validate({}))
    with pytest.raises(psycopg.OperationalError, match="refused"):
        reached(told["DATABASE_URL"])
    assert reached(environment.endpoints.postgres_url) == (7,)
    assert [event.text for event in environment.faults.events()] == ["fault down begins"]
    environment.reset()
    assert reached(told["DATABASE_URL"]) == (7,)
    assert environment.faults.events() == []


def test_faults_strike_between_services_and_what_they_reach(project: Project, nothing_left: Callable[[], None]) -> None:
    with EmbeddedStack.start(project.root) as stack:
        environment = stack.environment(project.spec(relayed=True))
        strikes_and_is_forgotten(environment)
        strikes_and_is_forgotten(environment)
    nothing_left()


def test_without_a_relay_services_and_test_see_the_same(project: Project) -> None:
    with EmbeddedStack.start(project.root) as stack:
        environment = stack.environment(project.spec(blobs=False, servicebus=False))
        assert environment.seen == environment.endpoints
        with pytest.raises(StackError, match="nothing stands between the services and postgres"):
            environment.faults.begin("postgres", KINDS["down"].model_validate({}))


def test_a_warm_environment_keeps_its_relay(project: Project, nothing_left: Callable[[], None]) -> None:
    """The next run takes it over; taking the environment down, or the stack, ends it."""
    warm.up(project.root)
    try:
        for _ in range(2):
            stack = EmbeddedStack.find(project.root)
            assert stack is not None
            environment = stack.environment(project.spec(relayed=True, key="k"))
            strikes_and_is_forgotten(environment)
            environment.close()
            stack.close()
        names = {process.name for process in warm.status(project.root).processes}
        assert any(name.startswith("relay") for name in names)
        assert warm.reset(project.root) == 1
        names = {process.name for process in warm.status(project.root).processes}
        assert not any(name.startswith("relay") for name in names)
    finally:
        warm.down(project.root)
    nothing_left()
