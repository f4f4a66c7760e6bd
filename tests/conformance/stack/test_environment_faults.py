"""Faults in an environment: services reach everything through the relay, the test does not, and nothing outlives a reset."""

from __future__ import annotations

import dataclasses
import http.client
import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from peeklock.stack.backend import Endpoints, Environment, Ports
from peeklock.stack.errors import StackError
from peeklock.stack.faults import KINDS
from peeklock.stack.local import LocalStack
from peeklock.stack.open import find_warm
from peeklock.stack.warm import lifecycle as warm
from tests.conformance.stack.conftest import Project


def settings_of(environment: Environment) -> dict[str, str]:
    """What the service `api` was told."""
    return told_by(environment.services.url("api"))


def told_by(url: str, patience: float = 10) -> dict[str, str]:
    connection = http.client.HTTPConnection("127.0.0.1", urlsplit(url).port or 0, timeout=patience)
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
    assert told["DATABASE_URL"] == environment.seen.service_postgres_urls["api"] != environment.endpoints.postgres_url
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


def test_faults_strike_between_services_and_what_they_reach(
    backend: type[LocalStack], project: Project, nothing_left: Callable[[], None]
) -> None:
    with backend.start(project.root, room=2) as stack:
        environment = stack.environment(project.spec(relayed=True))
        strikes_and_is_forgotten(environment)
        strikes_and_is_forgotten(environment)
    nothing_left()


def test_each_replica_is_reached_and_broken_by_itself(
    backend: type[LocalStack], project: Project, nothing_left: Callable[[], None]
) -> None:
    """Each has a listener of its own, which others are told; what is done to the service is done to all of its replicas."""
    told: dict[str, list[str]] = {}

    def variables(_endpoints: Endpoints, ports: Ports) -> Mapping[str, Mapping[str, str]]:
        told["other"] = [f"http://127.0.0.1:{port}" for port in ports["api"]]
        return {}

    services = {"api": project.service(replicas=2), "other": project.service(depends_on=["api"])}
    spec = dataclasses.replace(project.spec(services=services, relayed=True, blobs=False), variables=variables)
    with backend.start(project.root, room=2) as stack:
        environment = stack.environment(spec)
        relayed, own = told["other"], environment.services.urls("api")
        assert len({*relayed, *own}) == 4
        assert {told_by(url)["PORT"] for url in relayed} == {str(urlsplit(url).port) for url in own}
        environment.faults.begin("api.1", KINDS["down"].model_validate({}))
        assert told_by(relayed[0])
        with pytest.raises(ConnectionRefusedError):
            told_by(relayed[1])
        environment.faults.begin("api", KINDS["down"].model_validate({}))
        with pytest.raises(ConnectionRefusedError):
            told_by(relayed[0])
        environment.faults.end("api")
        assert [told_by(url)["PORT"] for url in relayed] == [told_by(url)["PORT"] for url in own]
        assert [event.target for event in environment.faults.events()][:2] == ["api.1", "api.0"]
    nothing_left()


def test_one_replica_is_held_still_or_killed_and_the_other_goes_on(backend: type[LocalStack], project: Project) -> None:
    services = {"api": project.service(replicas=2)}
    with backend.start(project.root, room=2) as stack:
        environment = stack.environment(project.spec(services=services, blobs=False, postgres=False, servicebus=False))
        first, second = environment.services.urls("api")
        assert environment.services.url("api.1") == second
        environment.services.pause("api.1")
        assert told_by(first)
        with pytest.raises(TimeoutError):
            told_by(second, 0.2)
        environment.services.resume("api.1")
        assert told_by(second)
        environment.services.kill("api.1")
        assert (environment.services.running("api"), environment.services.running("api.1")) == (1, 0)
        assert told_by(first)
        environment.services.start("api.1")
        assert told_by(second)
        environment.services.stop("api.0")
        assert environment.services.running("api") == 1
        environment.reset()
        assert environment.services.running("api") == 2


def test_without_a_relay_services_and_test_see_the_same(backend: type[LocalStack], project: Project) -> None:
    with backend.start(project.root, room=2) as stack:
        environment = stack.environment(project.spec(blobs=False, servicebus=False))
        assert environment.seen == environment.endpoints
        with pytest.raises(StackError, match="nothing stands between the services and postgres"):
            environment.faults.begin("postgres", KINDS["down"].model_validate({}))


def test_a_warm_environment_keeps_its_relay(
    backend: type[LocalStack], project: Project, nothing_left: Callable[[], None]
) -> None:
    """The next run takes it over; taking the environment down, or the stack, ends it."""
    warm.up(project.root)
    try:
        for _ in range(2):
            stack = find_warm(project.root)
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
