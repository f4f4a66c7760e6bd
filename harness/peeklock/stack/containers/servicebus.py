"""The Service Bus emulator in a container."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path

from peeklock.stack.containers.site import Site
from peeklock.stack.servers.servicebus import ServiceBusServer
from peeklock.supervision.client import SupervisorClient
from peeklock.supervision.readiness import announces


def start_servicebus(
    site: Site, supervisor: SupervisorClient, log_dir: Path, image: str, *, control_port: int, namespace_ports: Sequence[int],
    lasting: bool,
) -> ServiceBusServer:  # fmt: skip
    """Start it; returns after a message went round. A namespace of each environment listens on one of `namespace_ports`."""
    from peeklock.stack.containers.emulator import ServiceBusEmulatorContainer

    token = secrets.token_urlsafe(24)
    container = ServiceBusEmulatorContainer(
        image, control_port=control_port, namespace_ports=namespace_ports, token=token, lasting=lasting,
        docker_client_kw=site.client,
    )  # fmt: skip
    log = log_dir / "servicebus.log"
    placed = site.place(
        container, ServiceBusServer.PROCESS, title=ServiceBusServer.TITLE, log=log, known=[token], grace=3.0, own_clock=True,
        ports={port: port for port in (control_port, *namespace_ports)},
    )  # fmt: skip
    try:
        placed.watcher.until_line(announces(ServiceBusServer.READY), f"the line {ServiceBusServer.READY}", 30.0)
    finally:
        placed.watcher.close()
    state = {"control_port": control_port, "token": token, "log": str(log), "namespace_ports": list(namespace_ports)}
    server = ServiceBusServer(supervisor, state)
    server.round_trip()
    return server
