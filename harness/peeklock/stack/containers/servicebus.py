"""The Service Bus emulator in a container."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path

from peeklock.stack.containers.deployment import Deployment, Placement
from peeklock.stack.containers.emulator import ServiceBusEmulatorContainer
from peeklock.stack.servers.servicebus import ServiceBusServer
from peeklock.supervision.client import SupervisorClient
from peeklock.supervision.readiness import announces


def start_servicebus(
    deployment: Deployment, supervisor: SupervisorClient, log_dir: Path, image: str, *, control_port: int,
    namespace_ports: Sequence[int], lasting: bool,
) -> ServiceBusServer:  # fmt: skip
    """Start it; returns after a message went round. A namespace of each environment listens on one of `namespace_ports`."""
    token = secrets.token_urlsafe(24)
    container = ServiceBusEmulatorContainer(
        image, control_port=control_port, namespace_ports=namespace_ports, token=token, lasting=lasting, **deployment.options()
    )  # fmt: skip
    placement = Placement(
        ServiceBusServer.PROCESS, ServiceBusServer.TITLE, log_dir / "servicebus.log",
        {port: port for port in (control_port, *namespace_ports)}, secrets=[token], ready=announces(ServiceBusServer.READY),
        grace=3.0, own_clock=True,
    )  # fmt: skip
    deployment.start(container, placement)
    log = str(placement.log)
    state = {"control_port": control_port, "token": token, "log": log, "namespace_ports": list(namespace_ports)}
    server = ServiceBusServer(supervisor, state)
    server.round_trip()
    return server
