"""How Microsoft's emulator is started, against stand-ins: a Postgres that is asked like SQL Server, and Peeklock's emulator.

The real images cannot be pulled where these tests are written, so this says nothing about the real ones.
"""

from __future__ import annotations

import gc
import io
import os
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("testcontainers", reason="the extra `containers` is not installed")

from azure.servicebus import ServiceBusClient, ServiceBusMessage
from testcontainers.core.config import testcontainers_config

from peeklock.scenario.topology import ServiceBus
from peeklock.stack.containers.images import Kind
from peeklock.stack.containers.microsoft.configuration import configuration
from peeklock.stack.containers.microsoft.container import ServiceBusEmulatorContainer

STAND_IN = Path(__file__).parent / "stand_in"
TOPOLOGY = ServiceBus.model_validate(
    {"queues": {"jobs": {"max_delivery_count": 3}}, "topics": {"events": {"subscriptions": {"all": {}}}}}
)
EMULATOR = 'FROM {base}\nCOPY emulator.py /\nENTRYPOINT ["python", "/emulator.py"]\n'
SQL = """\
FROM {base}
COPY sqlcmd /opt/mssql-tools18/bin/sqlcmd
ENTRYPOINT ["/usr/bin/sh", "-c", "POSTGRES_PASSWORD=$MSSQL_SA_PASSWORD exec /usr/bin/sh /usr/local/bin/start -p 1433"]
"""
SQLCMD = '#!/bin/sh\n[ -n "$SQLCMDPASSWORD" ] && PGPASSWORD=$SQLCMDPASSWORD exec psql -w -h 127.0.0.1 -p 1433 -U postgres -c "SELECT 1"\n'


@pytest.fixture(scope="module")
def stand_in(engine: Any, image: Callable[[Kind], str]) -> Iterator[dict[str, str]]:
    """The names of images that stand in for `emulator` and `sql`."""
    made = {
        "emulator": (
            EMULATOR.format(base=image("servicebus")),
            {"emulator.py": (STAND_IN / "emulator.py").read_text()},
        ),
        "sql": (SQL.format(base=image("postgres")), {"sqlcmd": SQLCMD}),
    }
    names = {}
    for kind, (dockerfile, files) in made.items():
        names[kind] = f"peeklock-test/{kind}:{os.getpid()}"
        for _ in engine.build(
            fileobj=context({"Dockerfile": dockerfile, **files}), custom_context=True, tag=names[kind], decode=True, rm=True
        ):  # fmt: skip
            pass
    yield names
    for name in names.values():
        engine.remove_image(name, force=True)


def context(files: dict[str, str]) -> io.BytesIO:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(text.encode()), 0o755
            tar.addfile(entry, io.BytesIO(text.encode()))
    buffer.seek(0)
    return buffer


Make = Callable[..., ServiceBusEmulatorContainer]


@pytest.fixture(scope="module")
def emulator(engine: Any, stand_in: dict[str, str]) -> Iterator[Make]:
    """A maker of emulators; at the end nothing may be left of any."""
    name, value = "peeklock.test.microsoft", os.urandom(4).hex()

    def make(**changes: Any) -> ServiceBusEmulatorContainer:
        known = {
            "image": stand_in["emulator"],
            "sql_image": stand_in["sql"],
            "accept_eula": True,
            "startup_timeout": 60,
        }
        return ServiceBusEmulatorContainer(
            **{**known, "config": configuration(TOPOLOGY), "labels": {name: value}, **changes}
        )

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(testcontainers_config, "ryuk_disabled", True)
        yield make
    gc.collect()  # so that forgotten sockets are found here, where that is no error
    assert standing(engine, f"{name}={value}") == []


def standing(engine: Any, label: str) -> list[str]:
    """What the engine has with a label; removed, so that a failure leaves nothing either."""
    containers = [each["Id"] for each in engine.containers(all=True, filters={"label": label})]
    networks = [each["Id"] for each in engine.networks(filters={"label": label})]
    for each in containers:
        engine.remove_container(each, force=True, v=True)
    for each in networks:
        engine.remove_network(each)
    return [*containers, *networks]


@pytest.fixture(scope="module")
def running(emulator: Make) -> Iterator[ServiceBusEmulatorContainer]:
    with emulator() as made:
        yield made


def test_it_is_ready_when_its_entities_are(running: ServiceBusEmulatorContainer) -> None:
    with ServiceBusClient.from_connection_string(running.get_connection_string(), retry_total=0) as client:
        with client.get_queue_sender("jobs") as sender:
            sender.send_messages(ServiceBusMessage("hello"))
        with client.get_queue_receiver("jobs", max_wait_time=20) as receiver:
            message = next(receiver)
            receiver.complete_message(message)
            assert str(message) == "hello"
        with client.get_topic_sender("events"):
            pass


def test_only_the_emulator_can_be_reached_and_only_from_here(engine: Any, running: ServiceBusEmulatorContainer) -> None:
    network = engine.inspect_network(running._private.id)
    published = {
        (port, place["HostIp"])
        for number in network["Containers"]
        for port, places in engine.inspect_container(number)["NetworkSettings"]["Ports"].items()
        for place in places or ()
    }
    assert len(network["Containers"]) == 2
    assert published == {("5672/tcp", "127.0.0.1"), ("5300/tcp", "127.0.0.1")}


def test_a_sql_server_that_never_answers_leaves_nothing(
    emulator: Make, engine: Any, image: Callable[[Kind], str]
) -> None:
    made = emulator(sql_image=image("servicebus"), startup_timeout=1, labels={"peeklock.test.silent": "yes"})
    with pytest.raises(TimeoutError, match="sqlcmd"):
        made.start()
    assert standing(engine, "peeklock.test.silent") == []
    made.stop()  # does nothing more


def test_an_emulator_that_ends_tells_why_and_leaves_nothing(emulator: Make, engine: Any) -> None:
    with pytest.raises(RuntimeError) as error:
        emulator(labels={"peeklock.test.ending": "yes"}).with_env("SQL_WAIT_INTERVAL", "15").start()
    assert "  | it was not given what it needs" in "\n".join(error.value.__notes__)
    assert standing(engine, "peeklock.test.ending") == []


def test_entities_that_never_come_are_named(emulator: Make) -> None:
    made = emulator(startup_timeout=3)
    made.entities.append("nowhere")
    with pytest.raises(TimeoutError, match="nowhere lets no sender in"):
        made.start()
