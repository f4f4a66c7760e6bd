"""Runs Azure's samples for Service Bus as they are: what they are told, they are told by environment variables.

They know the name of a namespace in Azure and `DefaultAzureCredential`. The name leads to an emulator, as for a service of a
scenario (docs/names.md), and the credential finds a managed identity at the emulator's issuer, to which the name of Entra's
sign-in leads, too. Each has an emulator of its own.
"""

from __future__ import annotations

import os
import socket
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from peeklock.connection_strings import parts_of
from peeklock.servicebus import (
    Client,
    Emulator,
    Identity,
    IdentityEndpoint,
    ManagedIdentity,
    OutgoingMessage,
    Queue,
    RoleAssignment,
    Subscription,
    Topic,
    Topology,
)
from peeklock.servicebus.gateway.certificate_names import AZURE
from peeklock.servicebus.gateway.certificates import authority
from peeklock.servicebus.issuer import LOGIN_HOST
from peeklock.stack.names.bundle import write_bundle
from peeklock.stack.names.tls_front import TlsFront
from peeklock.stack.names.variables import name_variables
from tests.conformance.samples.sample import GROUP, Sample, play
from tests.conformance.samples.servicebus_list import (
    BODY,
    QUEUE,
    SAMPLES,
    SESSION_SUBSCRIPTION,
    SESSIONS,
    SUBSCRIPTION,
    TOPIC,
)
from tests.conformance.servicebus.live.table import Result

NAMESPACE = "peeklock-samples.servicebus.windows.net"
LOCK = 30.0
"""Seconds; `auto_lock_renew` expects a lock of less than 40."""


def run(folder: Path, workers: int, only: str = "") -> Iterator[Result]:
    """Run the samples in a folder, many at a time, for most of them only wait; yield what became of each."""
    files = sorted(path for path in folder.rglob("*.py") if only in path.stem)
    slow_first = sorted(files, key=lambda path: "auto_lock_renew" not in path.stem)
    with ThreadPoolExecutor(workers) as pool:
        yield from pool.map(lambda path: _result(folder, path), slow_first)
    stems = {path.stem.removesuffix("_async") for path in folder.rglob("*.py")}
    yield from (
        Result(GROUP, name, "failed", 0.0, "is on the list and not in the distribution") for name in {*SAMPLES} - stems
    )


def _result(folder: Path, path: Path) -> Result:
    sample, started = SAMPLES.get(path.stem.removesuffix("_async")), time.monotonic()
    name = path.relative_to(folder).as_posix()
    if sample is None:
        return Result(GROUP, name, "failed", 0.0, "is not on the list: tests/conformance/samples/servicebus_list.py")
    if path.stem.endswith("_async"):
        sample = sample.asynchronous()
    if sample.cannot:
        return Result(GROUP, name, "skipped", 0.0, sample.cannot)
    try:
        why, output = _trial(path, sample)
    except Exception as error:  # noqa: BLE001  whatever it is, it is why this one failed
        why, output = f"{type(error).__name__}: {error}", ""
    return Result(GROUP, name, "failed" if why else "passed", time.monotonic() - started, why, output)


def _trial(path: Path, sample: Sample) -> tuple[str, str]:
    """Run one; return why it failed, or "", and what it wrote."""
    with (
        _namespace() as (emulator, sign_in),
        tempfile.TemporaryDirectory() as made,
        Client(emulator.connection_string()) as client,
    ):
        for entity in sample.given:
            client.send(entity, [OutgoingMessage(BODY.encode(), session_id=str(number)) for number in range(10)])
        why, written = play(path, sample, _variables(emulator, sign_in, Path(made)), Path(made))
        left = {entity: len(client.peek(entity, 100)) for entity in sample.leaves}
        if not why and left != dict(sample.leaves):
            why = f"left {left} behind, not {dict(sample.leaves)}"
        return why, written


@contextmanager
def _namespace() -> Iterator[tuple[Emulator, int]]:
    """Yield an emulator, and the port at which its issuer speaks TLS."""
    subscriptions = {SUBSCRIPTION: Subscription(), SESSION_SUBSCRIPTION: Subscription(requires_session=True)}
    topology = Topology(
        queues={QUEUE: Queue(lock_duration=LOCK), SESSIONS: Queue(lock_duration=LOCK, requires_session=True)},
        topics={TOPIC: Topic(subscriptions=subscriptions)},
        identity=Identity((RoleAssignment("sample", "Azure Service Bus Data Owner"),)),
    )
    with Emulator(topology) as emulator:
        emulator.issuer.serve(IdentityEndpoint("sample", ManagedIdentity("sample")))
        front = TlsFront(lambda: urlsplit(emulator.issuer.address).port or 0)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        emulator.run(front.start(port))
        try:
            yield emulator, port
        finally:
            emulator.run(front.stop())


def _variables(emulator: Emulator, sign_in: int, folder: Path) -> dict[str, str]:
    known = parts_of(emulator.connection_string())
    policy, key = known["SharedAccessKeyName"], known["SharedAccessKey"]
    kept = {
        n: value
        for n, value in os.environ.items()
        if not n.startswith(("AZURE_", "IDENTITY_", "MSI_", "PYTHON", "SERVICEBUS_"))
    }
    bundle = write_bundle(folder, authority(AZURE).read_text(encoding="ascii"), kept)
    return {
        **kept,
        **name_variables({NAMESPACE: emulator.port, LOGIN_HOST: sign_in}, bundle, kept),
        **emulator.issuer.environment("sample"),
        "SERVICEBUS_FULLY_QUALIFIED_NAMESPACE": NAMESPACE,
        "SERVICEBUS_CONNECTION_STR": f"Endpoint=sb://{NAMESPACE}/;SharedAccessKeyName={policy};SharedAccessKey={key}",
        "SERVICEBUS_SAS_POLICY": policy,
        "SERVICEBUS_SAS_KEY": key,
        "SERVICEBUS_QUEUE_NAME": QUEUE,
        "SERVICEBUS_SESSION_QUEUE_NAME": SESSIONS,
        "SERVICEBUS_SESSION_ID": "session",
        "SERVICEBUS_TOPIC_NAME": TOPIC,
        "SERVICEBUS_SUBSCRIPTION_NAME": SUBSCRIPTION,
    }
