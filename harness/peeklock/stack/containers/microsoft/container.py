"""A testcontainers module for Microsoft's Service Bus emulator. It depends on testcontainers and azure-servicebus alone."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any, Self

from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network
from testcontainers.core.wait_strategies import (
    CompositeWaitStrategy,
    ExecWaitStrategy,
    HttpWaitStrategy,
    LogMessageWaitStrategy,
)
from testcontainers.core.waiting_utils import WaitStrategy, WaitStrategyTarget

AMQP_PORT = 5672
HTTP_PORT = 5300
"""Health, and the administration API of newer versions."""

IMAGE = "mcr.microsoft.com/azure-messaging/servicebus-emulator:2.0.0"
SQL_IMAGE = "mcr.microsoft.com/mssql/server:2022-CU14-ubuntu-22.04"
"""A fixed one: with a `latest` that upgrades its databases first, the emulator was seen to give up (its issue 122)."""

_CONFIG = "/ServiceBus_Emulator/ConfigFiles/Config.json"
_SQL_ALIAS = "sqlserver"
_UP = "Emulator Service is Successfully Up!"
_LICENCES = (
    "https://github.com/Azure/azure-service-bus-emulator-installer/blob/main/EMULATOR_EULA.txt",
    'https://hub.docker.com/r/microsoft/mssql-server (under "License")',
)
# With its password from a variable: an argument could be read by whoever lists processes.
_SQL_ANSWERS = 'SQLCMDPASSWORD="$MSSQL_SA_PASSWORD" /opt/mssql-tools*/bin/sqlcmd -S localhost -U sa -C -b -Q "SELECT 1"'
_LOOPBACK = "127.0.0.1"
_TOLD = 15  # log lines
_LOOK_AGAIN = 0.2  # seconds; a container outside of our hands tells nothing by itself


class LicenceNotAccepted(Exception):
    """Whoever runs the emulator must accept two licences of Microsoft; this module never does it for them."""

    def __init__(self) -> None:
        super().__init__(
            "Microsoft's Service Bus emulator and SQL Server may be run by those who accept their licences:\n"
            f"  {_LICENCES[0]}\n  {_LICENCES[1]}\n"
            "  how to fix: read them; if you accept both, pass accept_eula=True or set the environment variable ACCEPT_EULA=Y"
        )


class ServiceBusEmulatorContainer(DockerContainer):
    """The emulator and, on a private network, the SQL Server that it keeps its state in.

    Both ports of the emulator are published on 127.0.0.1; SQL Server's is not published at all. `start` returns when every
    queue and topic of `config` lets a sender in. Leave the `with` block, or call `stop`, to remove both and the network.

        with ServiceBusEmulatorContainer(config=json_text_or_mapping, accept_eula=True) as emulator:
            client = ServiceBusClient.from_connection_string(emulator.get_connection_string())

    Raises `LicenceNotAccepted`; `TimeoutError` with the log when it is not ready within `startup_timeout` seconds.
    """

    def __init__(
        self,
        image: str = IMAGE,
        *,
        config: Mapping[str, Any] | str,
        accept_eula: bool = False,
        sql_image: str = SQL_IMAGE,
        sql_password: str | None = None,
        startup_timeout: int = 180,
        labels: Mapping[str, str] | None = None,
        docker_client_kw: dict[str, Any] | None = None,
        **more: Any,
    ) -> None:
        if not accept_eula and os.environ.get("ACCEPT_EULA", "").upper() != "Y":
            raise LicenceNotAccepted
        marks = dict(labels or {})
        super().__init__(image, docker_client_kw=docker_client_kw, labels=marks, **more)
        text = config if isinstance(config, str) else json.dumps(config, indent=2)
        self.entities = list(_entities(json.loads(text)))
        """Queues and topics, as they are named in the configuration."""
        # SQL Server wants capitals, small letters, digits and other characters.
        password = sql_password or f"Aa1!{secrets.token_urlsafe(24)}"

        self._standing = False
        self._private = Network(docker_client_kw=docker_client_kw, docker_network_kw={"labels": marks})
        self._sql = DockerContainer(sql_image, docker_client_kw=docker_client_kw, labels=marks)
        self._sql.with_network(self._private).with_network_aliases(_SQL_ALIAS)
        self._sql.with_envs(ACCEPT_EULA="Y", MSSQL_SA_PASSWORD=password)
        self._sql.waiting_for(_patiently(ExecWaitStrategy(["sh", "-c", _SQL_ANSWERS]), startup_timeout))

        self.with_network(self._private)
        # SQL_WAIT_INTERVAL: it need not wait 15 s for SQL Server, which answers already when this one starts.
        self.with_envs(
            ACCEPT_EULA="Y",
            SQL_SERVER=_SQL_ALIAS,
            MSSQL_SA_PASSWORD=password,
            SQL_WAIT_INTERVAL="0",
            EMULATOR_HTTP_PORT=str(HTTP_PORT),
        )
        self.with_copy_into_container(text.encode(), _CONFIG)
        for port in (AMQP_PORT, HTTP_PORT):
            self.ports[str(port)] = (_LOOPBACK, None)  # type: ignore[assignment]  # docker takes a pair, testcontainers names an int
        # The line comes before the entities are there (issue 35 of the emulator), and /health too: a sender decides.
        ready = CompositeWaitStrategy(
            LogMessageWaitStrategy(_UP), HttpWaitStrategy(HTTP_PORT, "/health"), _Entities(self.get_connection_string)
        )
        self.waiting_for(_patiently(ready, startup_timeout))

    def start(self) -> Self:
        """Start SQL Server, then the emulator. When either fails, nothing of them is left."""
        self._private.create()
        self._standing = True
        try:
            self._sql.start()
            super().start()
        except BaseException as error:
            for name, container in (("SQL Server", self._sql), ("the emulator", self)):
                if container._container is not None:  # noqa: SLF001  it was made
                    said = b"".join(container.get_logs()).decode("utf-8", "replace").splitlines()
                    error.add_note(
                        "\n".join([f"last log lines of {name}:", *(f"  | {line}" for line in said[-_TOLD:])])
                    )
            self.stop()
            raise
        return self

    def stop(self, force: bool = True, delete_volume: bool = True) -> None:
        """Remove both containers and their network; does nothing when they are gone."""
        if not self._standing:
            return
        self._standing = False
        with contextlib.ExitStack() as steps:  # the last first, and each whatever becomes of the others
            steps.callback(self._private._docker.client.close)  # noqa: SLF001  which the library leaves open
            steps.callback(self._private.remove)
            steps.callback(self._sql.stop, force, delete_volume)
            steps.callback(super().stop, force, delete_volume)

    def get_container_host_ip(self) -> str:
        """Where the ports are published, also on machines that testcontainers takes for containers."""
        return _LOOPBACK

    def get_connection_string(self) -> str:
        """For clients on this machine."""
        return _connection_string(f"{self.get_container_host_ip()}:{self.get_exposed_port(AMQP_PORT)}")

    def get_administration_connection_string(self) -> str:
        """For administration clients on this machine; the emulator has that API from version 2 on."""
        return _connection_string(f"{self.get_container_host_ip()}:{self.get_exposed_port(HTTP_PORT)}")


class _Entities(WaitStrategy):
    """Ready when every queue and topic lets a sender in: a round trip that leaves no message behind."""

    def __init__(self, connection_string: Any) -> None:
        super().__init__()
        self._connection_string = connection_string

    def wait_until_ready(self, container: WaitStrategyTarget) -> None:
        from azure.core.exceptions import AzureError  # not among what this backend needs
        from azure.servicebus import ServiceBusClient

        assert isinstance(container, ServiceBusEmulatorContainer)
        end = time.monotonic() + self._startup_timeout
        pause = threading.Event()
        waiting = list(container.entities)
        while waiting:
            try:
                with ServiceBusClient.from_connection_string(self._connection_string(), retry_total=0) as client:
                    while waiting:
                        # To the wire a topic is a queue that one only sends to.
                        with client.get_queue_sender(waiting[0]):
                            waiting.pop(0)
            except AzureError as error:
                if time.monotonic() > end:
                    raise TimeoutError(
                        f"{waiting[0]} lets no sender in after {self._startup_timeout:g} s: {error}"
                    ) from error
                pause.wait(self._poll_interval)


def _patiently(strategy: Any, seconds: int) -> Any:
    return strategy.with_startup_timeout(seconds).with_poll_interval(_LOOK_AGAIN)


def _entities(config: Mapping[str, Any]) -> Iterator[str]:
    for namespace in config["UserConfig"]["Namespaces"]:
        for kind in ("Queues", "Topics"):
            yield from (entity["Name"] for entity in namespace.get(kind, ()))


def _connection_string(address: str) -> str:
    return (
        f"Endpoint=sb://{address};SharedAccessKeyName=RootManageSharedAccessKey;"
        "SharedAccessKey=SAS_KEY_VALUE;UseDevelopmentEmulator=true;"
    )
