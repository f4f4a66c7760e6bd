"""Dependencies that die and come back: with their data, on their ports, while the environment lives on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from urllib.parse import urlsplit

import psycopg
import pytest

from peeklock.servicebus import Client, OutgoingMessage
from peeklock.stack.backend import Environment
from peeklock.stack.errors import StackError
from peeklock.stack.local import LocalStack
from peeklock.stack.open import stack_class
from peeklock.stack.servers.blob_http import BlobAccount
from tests.conformance.stack.conftest import Project
from tests.conformance.stack.engine import engine_or_skip


@pytest.fixture(scope="module", params=["embedded", "containers"])
def environment(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    project = Project(tmp_path_factory.mktemp("lasting") / "project")
    if request.param == "containers":
        engine_or_skip()
    with stack_class(request.param).start(project.root, room=2) as stack:
        yield stack.environment(project.spec(name="lasting", services={}, private=True, lasting=True))


@pytest.fixture(autouse=True)
def fresh(environment: Environment) -> None:
    environment.reset()


def bus(environment: Environment) -> Client:
    return Client(environment.endpoints.servicebus_connection_string or "", timeout=5)


def account(environment: Environment) -> BlobAccount:
    facts = dict(p.split("=", 1) for p in (environment.endpoints.blobs_connection_string or "").split(";") if p)
    port = urlsplit(facts["BlobEndpoint"]).port or 0
    return BlobAccount(port, facts["AccountName"], facts["AccountKey"])


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_the_emulator_comes_back_with_its_messages_and_its_ledger(environment: Environment, how: str) -> None:
    """What was accepted or completed before is so after it; locks hold on (S-44)."""
    cursor = environment.reset()
    with bus(environment) as client:
        client.send("jobs", [OutgoingMessage(str(n).encode(), message_id=str(n)) for n in range(3)])
        done, held = client.receive("jobs", 2)
        client.complete(done)
    getattr(environment.dependencies, how)("servicebus")
    assert not environment.dependencies.running("servicebus")
    environment.check()  # it was wanted, so nothing is wrong
    assert [entry.event for entry in environment.ledger(cursor)[0]].count("enqueued") == 3
    assert environment.queues() == []
    environment.dependencies.start("servicebus")
    with bus(environment) as client:
        (left,) = client.receive("jobs", 3)
        client.complete(left)
    (facts,) = [queue for queue in environment.queues() if queue["name"] == "jobs"]
    assert (facts["active"], facts["locked"]) == (0, 1)
    entries, _ = environment.ledger(cursor)
    completed = [entry.message_id for entry in entries if entry.event == "completed"]
    assert completed == [done.message_id, left.message_id]
    assert held.message_id not in completed


def test_who_listens_to_the_ledger_goes_on_listening(environment: Environment) -> None:
    """The long poll ends with the emulator, and is taken up again by itself."""
    woken = threading.Event()
    end = environment.on_change(woken.set)
    environment.dependencies.kill("servicebus")
    environment.dependencies.start("servicebus")
    woken.clear()
    with bus(environment) as client:
        client.send("jobs", [OutgoingMessage(b"x")])
    assert woken.wait(10)
    end()


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_postgres_comes_back_with_what_was_committed(environment: Environment, how: str) -> None:
    url = environment.endpoints.postgres_url or ""
    with psycopg.connect(url) as connection:
        connection.execute("insert into things values (8)")
    getattr(environment.dependencies, how)("postgres")
    environment.check()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url, connect_timeout=2)
    environment.dependencies.start("postgres")
    with psycopg.connect(url) as connection:
        assert connection.execute("select id from things order by id").fetchall() == [(7,), (8,)]


def test_blobs_come_back_and_are_never_killed(environment: Environment) -> None:
    """Azurite keeps in memory for some seconds what it has told its client that it has: Azure does not."""
    with closing(account(environment)) as client:
        client.put("images", "a", b"kept")
    with pytest.raises(StackError, match="use stop, restart or pause"):
        environment.dependencies.kill("blobs")
    environment.dependencies.stop("blobs")
    environment.dependencies.start("blobs")
    with closing(account(environment)) as client:
        assert client.get("images", "a") == b"kept"


def test_one_that_stands_still_goes_on_where_it_was(environment: Environment) -> None:
    environment.dependencies.pause("servicebus")
    assert environment.queues() == []
    environment.ledger(0)  # does not wait for it
    environment.dependencies.resume("servicebus")
    assert [queue["name"] for queue in environment.queues()] == ["jobs"]


def test_a_reset_brings_back_what_a_case_has_left_down(environment: Environment) -> None:
    environment.dependencies.kill("servicebus")
    environment.dependencies.kill("postgres")
    environment.dependencies.pause("blobs")
    environment.reset()
    for kind in ("postgres", "blobs", "servicebus"):
        assert environment.dependencies.running(kind)
    environment.check()
    with bus(environment) as client:
        client.send("jobs", [OutgoingMessage(b"x")])


def test_dependencies_that_others_use_cannot_be_ended(
    backend: type[LocalStack], project: Project, nothing_left: Callable[[], None]
) -> None:
    with backend.start(project.root, room=2) as stack:
        shared = stack.environment(project.spec(postgres=False, blobs=False, services={}))
        with pytest.raises(StackError, match="shared with others"):
            shared.dependencies.kill("servicebus")
