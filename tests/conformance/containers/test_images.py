"""Each image runs, answers, is healthy without a network, and is nobody's root."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.storage.blob import BlobServiceClient

from peeklock.stack.containers.images import KINDS, Kind
from peeklock.stack.containers.images.build import build, write_context
from peeklock.stack.containers.images.layer import USER

from .conftest import LABEL, Container, Start

ROOT = Path(__file__).parents[3]
PASSWORD = """it's a "secret" with a \\ and a $HOME"""
KEY = "a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2U="
SETTINGS = {"postgres": {"POSTGRES_PASSWORD": PASSWORD}}
COMMANDS: dict[Kind, list[str]] = {"services": ["python", "-c", "import signal; signal.pause()"]}
Have = Callable[[Kind], str]


def postgres(start: Start, image: Have, **env: str) -> Container:
    made = start(image("postgres"), ports=[5432], env={"POSTGRES_PASSWORD": PASSWORD, **env})
    made.until_line("ready to accept connections")
    return made


def connection(made: Container, user: str = "postgres", password: str = PASSWORD, database: str = "postgres") -> Any:
    return psycopg.connect(
        host="127.0.0.1", port=made.port(5432), user=user, password=password, dbname=database, connect_timeout=20
    )


def servicebus_string(made: Container) -> str:
    return (
        f"Endpoint=sb://localhost:{made.port(5672)};SharedAccessKeyName=RootManageSharedAccessKey;"
        "SharedAccessKey=SAS_KEY_VALUE;UseDevelopmentEmulator=true;"
    )


@pytest.mark.parametrize("kind", KINDS)
def test_it_becomes_healthy_with_no_network_and_as_an_ordinary_user(
    kind: Kind, start: Start, image: Have, engine: Any
) -> None:
    made = start(
        image(kind), *COMMANDS.get(kind, []), env=SETTINGS.get(kind), network="none", read_only=False, cap_drop=["ALL"]
    )
    made.until_healthy()
    assert made.facts()["Config"]["User"] == f"{USER}:{USER}"
    processes = engine.top(made.id, "-eo uid,pid")["Processes"]
    assert processes
    assert {process[0] for process in processes} <= {str(USER), "peeklock"}


@pytest.mark.parametrize("kind", KINDS)
def test_building_it_again_builds_nothing(kind: Kind, image: Have, engine: Any) -> None:
    before = engine.inspect_image(image(kind))["Id"]
    again = build(kind)
    assert not again.built
    assert again.id == before == engine.inspect_image(f"peeklock/{kind}:latest")["Id"]


def test_the_newer_builder_takes_the_same_files(image: Have, engine: Any, tmp_path: Path) -> None:
    """BuildKit, which the engine's interface alone does not reach."""
    image("postgres")
    if shutil.which("docker") is None:
        pytest.skip("there is no docker command")
    write_context("postgres", tmp_path / "context.tar")
    name = f"peeklock-test/buildkit:{os.getpid()}"
    with (tmp_path / "context.tar").open("rb") as context:
        programs = [path for path in ("/usr/bin/docker", shutil.which("docker")) if path and Path(path).exists()]
        said = subprocess.run(
            [programs[0], "build", "--network", "none", "-t", name, "-"], stdin=context, capture_output=True, text=True, check=False,
            env={**os.environ, "DOCKER_BUILDKIT": "1"},
        )  # fmt: skip
    if "buildx component is missing" in said.stderr:
        pytest.skip("the docker command has no BuildKit")
    assert said.returncode == 0, said.stderr
    assert engine.inspect_image(name)["Config"]["User"] == f"{USER}:{USER}"
    engine.remove_image(name, force=True)


@pytest.fixture
def on_another_base(image: Have, engine: Any) -> Iterator[str]:
    """The emulator on an image that has a shell and Postgres."""
    image("servicebus")
    built = build("servicebus", base=image("postgres")).reference
    yield built
    engine.remove_image(built, force=True)


def test_it_can_stand_on_another_base(on_another_base: str, start: Start, image: Have, engine: Any) -> None:
    made = start(on_another_base)
    made.until_healthy()
    assert made.run("sh", "-c", "psql --version")[0] == 0
    assert on_another_base != image("servicebus")
    assert made.facts()["Image"] != engine.inspect_image("peeklock/servicebus:latest")["Id"]


@pytest.mark.parametrize("kind", KINDS)
def test_it_holds_nothing_that_a_user_of_it_can_change(kind: Kind, start: Start, image: Have) -> None:
    """But a home, /tmp and the data of a server."""
    made = start(image(kind), *COMMANDS.get(kind, []), env=SETTINGS.get(kind))
    probe = {
        "postgres": ["sh", "-c", "for f in /usr/bin /etc /usr/lib /; do ! [ -w $f ] || echo $f; done"],
        "azurite": [
            "node",
            "-e",
            "for (const f of ['/usr/bin', '/etc', '/usr/lib', '/']) try { require('fs').accessSync(f, 2); console.log(f) } catch {}",
        ],
    }.get(
        kind,
        [
            "python",
            "-c",
            "import os; [print(f) for f in ('/usr/bin', '/etc', '/usr/lib', '/', '/opt') if os.access(f, os.W_OK)]",
        ],
    )
    assert made.run(*probe) == (0, "")


def test_postgres_gives_back_what_it_was_given(start: Start, image: Have) -> None:
    made = postgres(start, image)
    with connection(made) as session:
        session.execute("CREATE TABLE things (name text)")
        session.execute("INSERT INTO things VALUES ('é')")
        assert session.execute("SELECT name, current_setting('server_encoding') FROM things").fetchone() == (
            "é",
            "UTF8",
        )


def test_postgres_makes_the_superuser_and_the_database_that_it_is_told(start: Start, image: Have) -> None:
    made = postgres(start, image, POSTGRES_USER='O"Neil', POSTGRES_DB="it's")
    with connection(made, 'O"Neil', database="it's") as session:
        assert session.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone() == (True,)


def test_postgres_lets_nobody_in_without_the_password(start: Start, image: Have) -> None:
    made = postgres(start, image, POSTGRES_USER="app")
    for user, password in (("app", "wrong"), ("postgres", PASSWORD), ("postgres", "")):
        with pytest.raises(psycopg.OperationalError, match=r"password|no password supplied"):
            connection(made, user, password, "postgres")


def test_postgres_tells_its_password_to_nobody(start: Start, image: Have) -> None:
    made = postgres(start, image, POSTGRES_USER="app", POSTGRES_DB="app")
    assert "secret" not in made.logs()
    assert made.run("sh", "-c", "read -r all </proc/1/environ; case $all in *secret*) exit 1;; esac") == (0, "")


def test_postgres_does_not_start_without_a_password(start: Start, image: Have) -> None:
    made = start(image("postgres"))
    assert made.ended() == 1
    assert "set POSTGRES_PASSWORD" in made.logs()


def test_postgres_that_was_killed_comes_back_with_its_data_and_its_password(
    start: Start, image: Have, engine: Any
) -> None:
    made = postgres(start, image)
    with connection(made) as session:
        session.execute("CREATE TABLE kept AS SELECT 7 AS number")
    engine.kill(made.id)
    made.ended()
    engine.start(made.id)
    made.until_healthy()
    with connection(made) as session:
        assert session.execute("SELECT number FROM kept").fetchone() == (7,)


def test_postgres_makes_its_cluster_in_an_empty_folder_that_is_mounted(start: Start, image: Have) -> None:
    made = start(
        image("postgres"), ports=[5432], env={"POSTGRES_PASSWORD": PASSWORD}, tmpfs={"/var/lib/postgresql/data": f"uid={USER},mode=0700"}
    )  # fmt: skip
    made.until_line("ready to accept connections")
    with connection(made) as session:
        assert session.execute("SELECT current_setting('fsync')").fetchone() == ("off",)


def test_azurite_gives_back_what_it_was_given_and_checks_keys(start: Start, image: Have) -> None:
    made = start(image("azurite"), ports=[10000], env={"AZURITE_ACCOUNTS": f"mine:{KEY}"})
    made.until_line("successfully listens on")

    def client(key: str) -> BlobServiceClient:
        endpoint = f"http://127.0.0.1:{made.port(10000)}/mine"
        return BlobServiceClient.from_connection_string(
            f"DefaultEndpointsProtocol=http;AccountName=mine;AccountKey={key};BlobEndpoint={endpoint};", retry_total=0
        )

    with client(KEY) as service:
        container = service.create_container("images")
        container.upload_blob("a/b.bin", b"\x00\x01" * 40_000)
        assert container.download_blob("a/b.bin").readall() == b"\x00\x01" * 40_000
    with client(KEY.replace("a2V5", "a2V6", 1)) as service, pytest.raises(Exception, match="AuthorizationFailure"):
        service.create_container("others")


def test_servicebus_delivers_what_its_configuration_allows(start: Start, image: Have) -> None:
    """The official emulator's file, the official emulator's connection string."""
    config = {
        "UserConfig": {
            "Namespaces": [
                {"Name": "sbemulatorns", "Queues": [{"Name": "jobs", "Properties": {"MaxDeliveryCount": 3}}]}
            ],
            "Logging": {"Type": "File"},
        }
    }
    made = start(image("servicebus"), ports=[5672], env={"PEEKLOCK_SERVICEBUS_CONFIG": json.dumps(config)})
    made.until_line("servicebus.ready")
    with (
        ServiceBusClient.from_connection_string(servicebus_string(made)) as client,
        client.get_queue_sender("jobs") as sender,
    ):
        sender.send_messages(ServiceBusMessage("hello"))
        with client.get_queue_receiver("jobs", max_wait_time=20) as receiver:
            message = next(receiver)
            assert str(message) == "hello"
            receiver.complete_message(message)


@pytest.fixture
def volume(engine: Any) -> Iterator[str]:
    made: str = engine.create_volume(f"peeklock-test-{os.urandom(4).hex()}", labels={LABEL: str(os.getpid())})["Name"]
    yield made
    engine.remove_volume(made)


def test_servicebus_keeps_its_messages_in_a_volume(volume: str, start: Start, image: Have, engine: Any) -> None:
    """The volume gets the owner of the folder in the image; a kill -9 and another container lose nothing."""
    config = json.dumps({"UserConfig": {"Namespaces": [{"Name": "sbemulatorns", "Queues": [{"Name": "jobs"}]}]}})

    def run() -> Container:
        made = start(
            image("servicebus"), "--data-dir", "/home/peeklock/data", ports=[5672], binds=[f"{volume}:/home/peeklock/data"],
            env={"PEEKLOCK_SERVICEBUS_CONFIG": config},
        )  # fmt: skip
        made.until_line("servicebus.ready")
        return made

    first = run()
    with (
        ServiceBusClient.from_connection_string(servicebus_string(first)) as client,
        client.get_queue_sender("jobs") as sender,
    ):
        sender.send_messages(ServiceBusMessage("kept"))
    engine.kill(first.id)
    engine.remove_container(first.id, force=True)
    again = servicebus_string(run())
    with (
        ServiceBusClient.from_connection_string(again) as client,
        client.get_queue_receiver("jobs", max_wait_time=20) as receiver,
    ):
        assert str(next(receiver)) == "kept"


def test_servicebus_that_cannot_read_its_configuration_says_so_and_ends(start: Start, image: Have) -> None:
    made = start(image("servicebus"), "--config", "/nowhere.json")
    assert made.ended() == 2
    assert "/nowhere.json" in made.logs()


def test_servicebus_ends_in_order(start: Start, image: Have, engine: Any) -> None:
    made = start(image("servicebus"))
    made.until_healthy()
    engine.stop(made.id, timeout=20)
    assert made.ended() == 0
    assert "servicebus.stopped" in made.logs()


def test_a_service_says_what_it_misses(start: Start, image: Have) -> None:
    made = start(image("services"), "python", "-m", "services.intellioptics.worker")
    assert made.ended() == 78
    assert "AZURE_SERVICEBUS_CONNECTION_STRING" in made.logs()


def test_the_services_image_has_every_package_that_services_import(start: Start, image: Have) -> None:
    wanted = set()
    for path in (ROOT / "services").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                wanted |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                wanted.add(node.module or "")
    program = (
        f"import importlib.util; print([name for name in {sorted(wanted)} if importlib.util.find_spec(name) is None])"
    )
    made = start(image("services"), "python", "-c", program)
    assert made.ended() == 0, made.logs()
    assert made.logs().strip() == "[]"


def test_the_services_image_has_the_model_and_can_run_it(start: Start, image: Have) -> None:
    program = (
        "import pathlib; from services.intellioptics.worker.model import load_model; "
        "print(load_model(pathlib.Path('/models/centerface.onnx')).version)"
    )
    made = start(image("services"), "python", "-c", program)
    assert made.ended() == 0
    assert made.logs().startswith("centerface")
