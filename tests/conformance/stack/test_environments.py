"""A stack as the engine uses it: environments that stand, are emptied, run side by side and never meet."""

from __future__ import annotations

import base64
import contextlib
import json
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from peeklock.errors import PeeklockError
from peeklock.servicebus import Client, OutgoingMessage
from peeklock.stack.backend import Environment
from peeklock.stack.local import LocalStack
from peeklock.stack.servers.blob_http import BlobAccount, BlobError
from peeklock.stack.servers.group import KINDS
from tests.conformance.stack.conftest import Project


@pytest.fixture
def stack(backend: type[LocalStack], project: Project, nothing_left: Callable[[], None]) -> Iterator[LocalStack]:
    with backend.start(project.root, KINDS, room=4) as found:
        yield found


@contextlib.contextmanager
def account(environment: Environment) -> Iterator[BlobAccount]:
    text = environment.endpoints.blobs_connection_string or ""
    facts = dict(part.split("=", 1) for part in text.strip(";").split(";"))
    port = int(facts["BlobEndpoint"].split(":")[2].split("/")[0])
    with contextlib.closing(BlobAccount(port, facts["AccountName"], facts["AccountKey"])) as found:
        yield found


def ids(environment: Environment) -> list[int]:
    with psycopg.connect(environment.endpoints.postgres_url or "") as connection:
        return [row[0] for row in connection.execute("select id from things order by id")]


def test_an_environment_stands_is_used_and_is_empty_again_after_a_reset(stack: LocalStack, project: Project) -> None:
    environment = stack.environment(project.spec())
    bus_url = environment.endpoints.servicebus_connection_string or ""
    with account(environment) as blobs, Client(bus_url) as bus:
        with psycopg.connect(environment.endpoints.postgres_url or "") as connection:
            connection.execute("insert into things values (8)")
        blobs.put("images", "a", b"x")
        blobs.create_container("made-by-a-service")
        bus.send("jobs", [OutgoingMessage(body=b"{}")])
        entries, _ = environment.ledger(0, 5.0)
        assert [entry.event for entry in entries] == ["enqueued"]
        assert environment.queues()[0]["active"] == 1

        cursor = environment.reset()

        assert ids(environment) == [7]
        assert blobs.containers() == ["images"]
        with pytest.raises(BlobError):
            blobs.get("images", "a")
        assert environment.queues()[0]["active"] == 0
        assert [e for e in environment.ledger(cursor)[0] if e.event == "enqueued"] == []
    print("timings", dict(stack.timings))


def test_files_side_by_side_have_connections_for_the_pools_of_all_their_services(
    stack: LocalStack, project: Project
) -> None:
    """Eight files of four services with ten connections each, on one server."""
    url = stack.environment(project.spec()).endpoints.postgres_url or ""
    with contextlib.ExitStack() as opened:
        for _ in range(320):
            opened.enter_context(psycopg.connect(url))


def test_a_service_is_told_where_everything_is_and_nothing_of_peeklock(
    stack: LocalStack, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PEEKLOCK_CONTROL_TOKEN", "never")
    monkeypatch.setenv("DATABASE_URL", "postgresql://production")
    environment = stack.environment(project.spec(env={"api": {"API_TOKEN": "hunter22"}}))
    with urllib.request.urlopen(environment.services.url("api")) as answer:
        env = json.loads(answer.read())
    assert env["DATABASE_URL"] == environment.endpoints.postgres_url
    assert env["AZURE_STORAGE_CONNECTION_STRING"] == environment.endpoints.blobs_connection_string
    # Its own access rule, so that the ledger can tell who did what; the same namespace.
    bus, own = environment.endpoints.servicebus_connection_string or "", env["AZURE_SERVICEBUS_CONNECTION_STRING"]
    assert own.split(";")[0] == bus.split(";")[0]
    assert "SharedAccessKeyName=service-api" in own
    assert env["API_TOKEN"] == "hunter22"
    assert not [name for name in env if name.startswith("PEEKLOCK_")]


def test_a_variable_that_is_not_offered_is_taken_from_the_service(
    stack: LocalStack, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://production")
    environment = stack.environment(project.spec(postgres=False, servicebus=False, blobs=False))
    with urllib.request.urlopen(environment.services.url("api")) as answer:
        assert "DATABASE_URL" not in json.loads(answer.read())


def test_no_secret_is_in_a_log(stack: LocalStack, project: Project) -> None:
    environment = stack.environment(project.spec())
    password = (environment.endpoints.postgres_url or "").split(":")[2].split("@")[0]
    logs = [path.read_text() for path in stack.log_dir.rglob("*.log")]
    assert any("api.ready" in text for text in logs)
    assert not any(password in text for text in logs)
    assert password not in repr(environment.services.logs())


def test_services_are_stopped_killed_paused_and_come_back_with_the_reset(stack: LocalStack, project: Project) -> None:
    environment = stack.environment(project.spec(services={"api": project.service("--grandchild", replicas=2)}))
    services = environment.services
    assert services.running("api") == 2
    _, cursor = services.exits()
    services.kill("api")
    ends, cursor = services.exits(cursor)
    assert [(e.code, e.expected) for e in ends] == [(-9, True)] * 2
    assert services.running("api") == 0
    services.start("api")
    services.stop("api")
    assert services.running("api") == 0
    environment.reset()
    assert services.running("api") == 2
    services.pause("api")
    environment.reset()
    with urllib.request.urlopen(services.url("api"), timeout=5) as answer:
        assert answer.status == 200


def test_whoever_waits_is_woken_by_a_message_a_line_and_an_exit(stack: LocalStack, project: Project) -> None:
    environment = stack.environment(project.spec())
    woken = threading.Event()
    end = environment.on_change(woken.set)
    with Client(environment.endpoints.servicebus_connection_string or "") as bus:
        bus.send("jobs", [OutgoingMessage(body=b"{}")])
    assert woken.wait(5)
    woken.clear()
    environment.services.kill("api")
    assert woken.wait(5)
    end()


def test_the_ledger_answers_when_something_happens_not_when_the_wait_is_over(
    stack: LocalStack, project: Project
) -> None:
    environment = stack.environment(project.spec(services={}))
    found: list[str] = []
    waiter = threading.Thread(target=lambda: found.extend(e.event for e in environment.ledger(0, 60.0)[0]))
    waiter.start()
    with Client(environment.endpoints.servicebus_connection_string or "") as bus:
        bus.send("jobs", [OutgoingMessage(body=b"{}")])
    waiter.join(10)
    assert found == ["enqueued"]


def test_environments_side_by_side_share_nothing(stack: LocalStack, project: Project) -> None:
    specs = [project.spec(name=f"file{n}") for n in range(4)]
    with ThreadPoolExecutor(4) as pool:
        environments = list(pool.map(stack.environment, specs))
    assert len({environment.endpoints.postgres_url for environment in environments}) == 4
    assert len({environment.services.url("api") for environment in environments}) == 4
    with psycopg.connect(environments[0].endpoints.postgres_url or "") as connection:
        connection.execute("delete from things")
    assert ids(environments[1]) == [7]
    with account(environments[0]) as ours, account(environments[1]) as theirs:
        ours.put("images", "a", b"x")
        with pytest.raises(BlobError, match="404"):
            theirs.get("images", "a")
        wrong_key = base64.b64encode(b"k" * 32).decode()
        with (
            contextlib.closing(BlobAccount(ours._port, ours._account, wrong_key)) as stranger,
            pytest.raises(BlobError, match="403"),
        ):
            stranger.containers()


def test_an_environment_that_is_given_back_makes_room(stack: LocalStack, project: Project) -> None:
    spec = project.spec(services={}, servicebus=False)
    for _ in range(10):
        stack.environment(spec).close()


def test_three_stacks_side_by_side_never_collide(
    backend: type[LocalStack], tmp_path: Path, nothing_left: Callable[[], None]
) -> None:
    projects = [Project(tmp_path / str(n)) for n in range(3)]

    def use(project: Project) -> str:
        with backend.start(project.root, KINDS, room=1) as stack:
            environment = stack.environment(project.spec())
            assert ids(environment) == [7]
            return environment.endpoints.postgres_url or ""

    with ThreadPoolExecutor(3) as pool:
        assert len(set(pool.map(use, projects))) == 3


def test_a_service_that_cannot_start_shows_its_last_lines(stack: LocalStack, project: Project) -> None:
    service = project.service().model_copy(update={"run": ["python", "-c", "import sys; sys.exit('no such queue')"]})
    with pytest.raises(PeeklockError) as caught:
        stack.environment(project.spec(services={"api": service}))
    assert "service api ended before it was ready: exit status 1" in str(caught.value)
    assert "| no such queue" in str(caught.value)


def test_a_service_that_never_is_ready_is_told_from_one_that_ended(stack: LocalStack, project: Project) -> None:
    service = project.service(ready={"log": "never.said", "within": "300ms"})
    with pytest.raises(PeeklockError, match=r"was not ready within 0\.3 s"):
        stack.environment(project.spec(services={"api": service}))


def test_a_missing_command_is_named(stack: LocalStack, project: Project) -> None:
    service = project.service().model_copy(update={"run": ["no-such-program"]})
    with pytest.raises(PeeklockError, match="the command 'no-such-program' of service api was not found"):
        stack.environment(project.spec(services={"api": service}))


def test_a_failing_migration_shows_the_statement_and_the_next_attempt_starts_over(
    stack: LocalStack, project: Project
) -> None:
    migration = project.root / "migrations" / "2.sql"
    migration.write_text("select 1;\ncreate tabel oops();\n")
    with pytest.raises(PeeklockError) as caught:
        stack.environment(project.spec(services={}))
    assert "2.sql:2" in str(caught.value)
    assert 'syntax error at or near "tabel"' in str(caught.value)
    migration.write_text("create table more (id int);")
    assert ids(stack.environment(project.spec(services={}))) == [7]


def test_a_dependency_that_died_is_named_with_its_end(stack: LocalStack, project: Project) -> None:
    environment = stack.environment(project.spec(services={}))
    for name, title in (("azurite", "Azurite"), ("servicebus", "Service Bus"), ("postgres", "Postgres")):
        stack.children.kill(name)
        with pytest.raises(PeeklockError, match=f"{title}.*no longer there: killed by SIGKILL"):
            environment.reset()
        if name != "postgres":
            return


def test_services_start_after_those_they_depend_on(stack: LocalStack, project: Project) -> None:
    services = {"late": project.service(depends_on=["early"]), "early": project.service()}
    environment = stack.environment(project.spec(services=services, postgres=False, blobs=False, servicebus=False))
    lines, _ = environment.services.logs()
    assert [line.service for line in lines] == ["early", "late"]


def test_a_reset_is_quick(stack: LocalStack, project: Project) -> None:
    environment = stack.environment(project.spec())
    took = []
    for _ in range(10):
        began = time.perf_counter()
        environment.reset()
        took.append(round((time.perf_counter() - began) * 1000))
    print("reset ms", sorted(took))
