"""The Service Bus emulator as a process."""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path

from peeklock.stack.servers.servicebus import ServiceBusServer
from peeklock.supervision.client import SupervisorClient
from peeklock.supervision.readiness import Watcher, announces, json_record

_PACKAGES = Path(__file__).resolve().parents[3]


def start_servicebus(supervisor: SupervisorClient, log_dir: Path, *, data_dir: Path | None = None) -> ServiceBusServer:
    """Start the emulator; returns after a message went round (send, receive, complete). With a `data_dir` it can be started
    again with what it had, on the same ports."""
    token = secrets.token_urlsafe(24)
    log = log_dir / "servicebus.log"
    argv = [
        sys.executable,
        "-m",
        "peeklock.servicebus",
        "--no-default-namespace",
        "--control-port",
        "0" if data_dir is None else str(supervisor.reserve_ports(1)[0]),
        "--port",
        "0",
        *([] if data_dir is None else ["--data-dir", str(data_dir)]),
    ]
    env = {
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONPATH": str(_PACKAGES),
        "PYTHONUNBUFFERED": "1",
        "PEEKLOCK_CONTROL_TOKEN": token,
    }
    watcher = Watcher(supervisor, ServiceBusServer.PROCESS, title=ServiceBusServer.TITLE, log_file=log, secrets=[token])
    try:
        supervisor.spawn(
            ServiceBusServer.PROCESS, argv, env, Path("/"), log=str(log), layer=0, grace=3.0, secrets=[token]
        )
        line = watcher.until_line(announces(ServiceBusServer.READY), f"the line {ServiceBusServer.READY}", 30.0)
    finally:
        watcher.close()
    ready = json_record(line) or {}
    server = ServiceBusServer(supervisor, {"control_port": ready["control_port"], "token": token, "log": str(log)})
    server.round_trip()
    return server
