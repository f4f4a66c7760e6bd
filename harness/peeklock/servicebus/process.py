"""The emulator's process: arguments, one ready line, JSON logs, a clean stop."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import os
import signal
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .loopback import is_loopback
from .managed_identity import IdentityEndpoint, ManagedIdentity
from .settings import TopologyError
from .store import StoreError
from .topology import Topology

if TYPE_CHECKING:
    from .gateway import Server
    from .host import Host

CONTROL_TOKEN = "PEEKLOCK_CONTROL_TOKEN"  # noqa: S105 -- the name of a variable
NAMESPACE = "sbemulatorns"
_LEDGER_ALONE = 10_000  # entries: without a control API only a live page asks for them
CONFIG = "PEEKLOCK_SERVICEBUS_CONFIG"
OFFICIAL_CONFIG = "/ServiceBus_Emulator/ConfigFiles/Config.json"
"""Where Microsoft's image has its configuration; compose files mount it there."""
_OFFICIAL_PORTS = (5672, 5300)


def parser() -> argparse.ArgumentParser:
    """Build the command line."""
    build = argparse.ArgumentParser(
        prog="python -m peeklock.servicebus",
        formatter_class=partial(argparse.HelpFormatter, width=100),  # argparse loads shutil to measure the terminal
        description="An Azure Service Bus emulator: AMQP 1.0 on loopback, no Docker, no database.",
        epilog=f"The control API is on when the environment variable {CONTROL_TOKEN} holds its token.",
    )
    build.add_argument(
        "--config",
        metavar="FILE",
        help="the official emulator's Config.json, // comments allowed, or Peeklock's own format: JSON or YAML with "
        f"namespaces by name (default: the environment variable {CONFIG}, which may have the JSON itself)",
    )
    build.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on; beyond loopback only where you want others to reach it (default: %(default)s)",
    )
    build.add_argument("--port", type=int, default=5672, help="AMQP port; 0 takes a free one (default: %(default)s)")
    build.add_argument(
        "--http-port",
        type=int,
        default=os.environ.get("EMULATOR_HTTP_PORT"),
        help="serve the first namespace on this port, too, where Microsoft's emulator has its HTTP; 0 takes a free one (default: "
        "5300 beside 5672, if it is free)",
    )
    build.add_argument(
        "--control-host",
        default="127.0.0.1",
        help="address of the control API, whatever --host is (default: %(default)s)",
    )
    build.add_argument("--control-port", type=int, default=0, help="port of the control API; 0 takes a free one")
    build.add_argument(
        "--data-dir",
        type=Path,
        metavar="FOLDER",
        help="keep namespaces there: a kill -9 loses nothing that a client was answered (default: memory only)",
    )
    build.add_argument(
        "--issuer-port",
        type=int,
        help="also serve Entra-like tokens on this port; 0 takes a free one",
    )
    build.add_argument(
        "--identity",
        action="append",
        default=[],
        metavar="NAME",
        help="serve a managed identity of this client id at http://127.0.0.1:<issuer port>/NAME, the address for "
        "AZURE_POD_IDENTITY_AUTHORITY_HOST; may be repeated",
    )
    build.add_argument(
        "--any-key",
        action="store_true",
        help="do not check keys, as Microsoft's emulator does not: any name and key is let in",
    )
    build.add_argument(
        "--no-default-namespace", action="store_true", help="no AMQP port until the control API makes a namespace"
    )
    build.add_argument(
        "--ca", action="store_true", help="print the path of the CA certificate for TLS, and how to trust it; then end"
    )
    return build


def print_authority() -> int:
    """Tell where the CA's certificate is, made now if need be, and how clients come to trust it."""
    from .gateway.certificates import authority

    try:
        path = authority()
    except OSError as error:
        return _fail(f"no CA certificate: {error}\n  fix: point PEEKLOCK_CACHE at a folder that can be written")
    print(
        f"{path}\n\n"
        "TLS is spoken on the same port as plain AMQP and HTTP. To trust the emulator's certificate:\n"
        f"  any OpenSSL client   SSL_CERT_FILE={path}\n"
        f'  azure-servicebus     connection_verify="{path}"\n'
        '                       (with ServiceBusClient also custom_endpoint_address="sb://localhost:<port>")\n'
        f"  Node.js              NODE_EXTRA_CA_CERTS={path}\n"
        "The CA is this machine's own: it signs localhost, 127.0.0.1 and ::1 and nothing else."
    )
    return 0


def log(event: str, **fields: Any) -> None:
    """Write one JSON line to stderr."""
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
    record = {
        "timestamp": f"{stamp}.{time.time_ns() // 1_000_000 % 1000:03d}Z",
        "level": "info",
        "event": event,
        **fields,
    }
    try:
        sys.stderr.write(json.dumps(record, default=str) + "\n")
        sys.stderr.flush()
    except (OSError, ValueError):
        pass  # whoever read the logs has gone


def _fail(problem: str) -> int:
    print(f"error: {problem}", file=sys.stderr)
    return 2


def main(argv: list[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT; return the exit code (2 for a bad command line or configuration)."""
    arguments = parser().parse_args(argv)
    if arguments.ca:
        return print_authority()
    if arguments.identity and arguments.issuer_port is None:
        return _fail("--identity without an issuer: nobody would sign its tokens\n  fix: add --issuer-port 0")
    tune_gc()
    try:
        namespaces = namespaces_of(arguments)
    except TopologyError as error:
        return _fail(str(error))
    token = os.environ.pop(CONTROL_TOKEN, "")
    if arguments.no_default_namespace and not token:
        return _fail(
            f"--no-default-namespace without a control API: nothing could ever be reached\n  fix: set {CONTROL_TOKEN}"
        )
    try:
        return asyncio.run(_serve(arguments, namespaces, token))
    except (StoreError, TopologyError) as error:
        return _fail(str(error))
    except OSError as error:
        return _fail(f"cannot listen: {error.strerror or error}\n  fix: choose another port, or 0 for a free one")


def namespaces_of(arguments: argparse.Namespace) -> dict[str, Topology]:
    """Return the namespaces to start with: those of --config, else of the environment, else of the place where
    Microsoft's image has its configuration, else an empty one."""
    source = arguments.config or os.environ.get(CONFIG, "")
    if not source and not arguments.no_default_namespace and Path(OFFICIAL_CONFIG).exists():
        source = OFFICIAL_CONFIG
    if source:
        from .config import load_namespaces

        return load_namespaces(source, port=arguments.port, origin=None if arguments.config else CONFIG, warn=_warn)
    return {} if arguments.no_default_namespace else {NAMESPACE: Topology(port=arguments.port)}


def _warn(problem: str) -> None:
    log("config.passed_over", level="warning", problem=problem)


async def _serve(arguments: argparse.Namespace, namespaces: dict[str, Topology], token: str) -> int:
    from .host import Host

    allow_connections()
    stopping = asyncio.Event()
    host = Host(
        arguments.host,
        log=log,
        ledger_cap=None if token else _LEDGER_ALONE,
        data_folder=arguments.data_dir,
        any_key=arguments.any_key,
        on_failure=stopping.set,
    )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    reloading: set[asyncio.Task[None]] = set()

    def reload() -> None:
        task = loop.create_task(_reload(arguments, host))
        reloading.add(task)
        task.add_done_callback(reloading.discard)

    amqp_port = http_port = control_port = issuer_port = None
    if arguments.issuer_port is not None:
        from .issuer import Issuer

        host.issuer = Issuer(now=host.clock.now, log=log)
        for name in arguments.identity:
            host.issuer.serve(IdentityEndpoint(name, ManagedIdentity(name)))
        issuer_port = await host.issuer.start(arguments.issuer_port)
    for name, topology in namespaces.items():
        server = await host.add(name, topology)
        if amqp_port is None:
            amqp_port, http_port = server.port, _listen_for_http(arguments, server)
    await host.restore()
    control = None
    if token:
        from .gateway.control import ControlApi

        control = ControlApi(host, token, log)
        control_port = await control.start(arguments.control_host, arguments.control_port)
    loop.add_signal_handler(signal.SIGHUP, reload)
    ready: dict[str, Any] = {
        "event": "servicebus.ready",
        "amqp_port": amqp_port,
        "control_port": control_port,
        "namespaces": {name: server.port for name, server in host.servers.items()},
        "pid": os.getpid(),
    }
    if http_port is not None:
        ready["http_port"] = http_port
    if issuer_port is not None:
        ready["issuer_port"] = issuer_port
    if not is_loopback(arguments.host):
        log("servicebus.reachable", level="warning", host=arguments.host, hint="whoever has a key may come in")
    print(json.dumps(ready), flush=True)
    await stopping.wait()
    if control is not None:
        await control.stop()
    if host.issuer is not None:
        await host.issuer.stop()
    failure = next((server.failure for server in host.servers.values() if server.failure is not None), None)
    await host.close()
    if failure is not None:
        return _fail(str(failure))
    log("servicebus.stopped")
    return 0


def _listen_for_http(arguments: argparse.Namespace, server: Server) -> int | None:
    """Serve a namespace where Microsoft's emulator has its HTTP; return that port, or None. Raises `OSError` when a port that
    was asked for is taken."""
    if arguments.http_port is not None:
        return server.listen_beside(arguments.http_port)
    amqp, http = _OFFICIAL_PORTS
    if server.port != amqp:
        return None
    try:
        return server.listen_beside(http)
    except OSError as error:
        log("http.port_taken", level="warning", port=http, reason=error.strerror)
        return None


async def _reload(arguments: argparse.Namespace, host: Host) -> None:
    """Read the configuration again (SIGHUP): namespaces that are new are made, the others become what it says now; those that
    it does not have stay. What cannot be is logged, and everything stays as it was."""
    from .gateway.control.changes import apply

    try:
        for name, topology in namespaces_of(arguments).items():
            if name in host.servers:
                changes = apply(host.servers[name].administration, topology)
                log(
                    "config.applied",
                    namespace=name,
                    added=changes.added,
                    changed=changes.changed,
                    removed=changes.removed,
                )
            else:
                await host.add(name, topology)
    except TopologyError as error:
        log("config.refused", problem=error.problem, fix=error.fix)
    except (OSError, StoreError) as error:
        log("config.refused", problem=str(error), fix="see the problem")


def allow_connections() -> None:
    """Take as many open files as this user may have: a connection is one, and a shell often gives 1,024."""
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def tune_gc() -> None:
    """Keep the collector away from queued messages: they hold no cycles, and a full pass over a million of them stops
    the broker for a tenth of a second."""
    gc.freeze()
    gc.set_threshold(50_000, 50, 1_000)
