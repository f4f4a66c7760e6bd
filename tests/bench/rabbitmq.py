"""RabbitMQ with its AMQP 1.0 plugin (Debian's package `rabbitmq-server`), to measure against: a node of its own, on loopback."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.command import CannotMeasureError

_SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
_NAMES = "epmd"
_PATIENCE = 60.0


def missing() -> str | None:
    """Return why it cannot be measured against; None when it can."""
    if _SERVER.exists() and shutil.which(_NAMES) is not None:
        return None
    return "RabbitMQ is not installed (Debian: apt-get install rabbitmq-server)"


@contextmanager
def rabbitmq() -> Iterator[tuple[int, int]]:
    """Start a node; give its pid and its AMQP port. Raises `CannotMeasureError` where it is not installed."""
    if (why := missing()) is not None:
        raise CannotMeasureError(why)
    with tempfile.TemporaryDirectory(prefix="peeklock-rabbitmq-") as made:
        folder = Path(made)
        port, names_port, cluster_port = _free_ports(3)
        (folder / "plugins").write_text("[rabbitmq_amqp1_0].\n")
        config = (
            f"listeners.tcp.1 = 127.0.0.1:{port}\namqp1_0.default_user = guest\nlog.file = false\nlog.console = true\n"
        )
        (folder / "rabbitmq.conf").write_text(config)
        environment = os.environ | {
            "HOME": made,
            "ERL_EPMD_PORT": str(names_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"peeklock-{os.getpid()}@localhost",
            "RABBITMQ_DIST_PORT": str(cluster_port),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
        }
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        log = folder / "out"
        names = subprocess.Popen([_NAMES, "-address", "127.0.0.1", "-port", str(names_port)], **quiet)
        with log.open("wb") as out:
            node = subprocess.Popen([_SERVER], env=environment, stdout=out, stderr=subprocess.STDOUT)
        try:
            _wait(node, port, log)
            yield _machine(node.pid), port
        finally:
            for process in (node, names):
                process.terminate()
                process.wait(30)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _wait(node: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Wait until the node takes connections."""
    import time

    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline and node.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise CannotMeasureError(f"RabbitMQ did not start: {log.read_text(errors='replace')[-500:]}")


def _machine(pid: int) -> int:
    """Return the pid of the Erlang machine below the start script."""
    for _ in range(5):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        if Path(f"/proc/{pid}/comm").read_text().startswith("beam") or not children:
            return pid
        pid = int(children[0])
    return pid
