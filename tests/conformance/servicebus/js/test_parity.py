"""@azure/service-bus, the JavaScript SDK, against the emulator: one case for each check of parity.mjs and transport."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from peeklock.servicebus import Emulator, Queue, Subscription, Topic, Topology
from peeklock.servicebus.gateway.certificates import authority, folder
from peeklock.stack.embedded.tools import node

HERE = Path(__file__).parent
SCRIPT = HERE / "parity.mjs"
CHECKS = dict(re.findall(r'^check\("(.+?)", "(\w+)",', SCRIPT.read_text("utf-8"), re.MULTILINE))
TRANSPORTS = ("tcp", "websocket")


def entity(name):
    """Return the entity that a check works with."""
    return f"{CHECKS[name]}-{re.sub('[^a-z0-9]+', '-', name.lower()).strip('-')}"


def topology():
    """Make an entity for each check, of the kind that it asks for."""
    kinds = {
        "queue": Queue(max_delivery_count=3),
        "short": Queue(lock_duration=1.0),
        "session": Queue(requires_session=True),
    }
    topic = Topic(subscriptions={"one": Subscription(), "two": Subscription()})
    return Topology(
        queues={entity(name): kinds[kind] for name, kind in CHECKS.items() if kind in kinds},
        topics={entity(name): topic for name, kind in CHECKS.items() if kind == "topic"},
    )


def modules(of=HERE, name="servicebus-js"):
    """Return a folder with the node_modules of a package.json, installed as the lock file says when it is not there yet."""
    packages = [of / each for each in ("package.json", "package-lock.json")]
    digest = hashlib.sha256(b"".join(package.read_bytes() for package in packages)).hexdigest()[:16]
    target = folder().parent / name / digest
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as made:
            work = Path(made) / "work"
            work.mkdir()
            for package in packages:
                shutil.copy(package, work)
            npm = [
                *node().npm,
                "ci",
                "--ignore-scripts",
                "--no-audit",
                "--no-fund",
                "--no-progress",
                "--loglevel=error",
            ]
            path = f"{node().node.parent}{os.pathsep}{os.environ.get('PATH', '')}"
            done = subprocess.run(
                npm, cwd=work, env=os.environ | {"PATH": path}, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"npm ci could not install what {of} names:\n{done.stdout}{done.stderr}"
            try:
                work.rename(target)
            except OSError:
                assert target.exists()  # another worker was quicker
    return target


@pytest.fixture(scope="module", params=TRANSPORTS)
def results(request):
    """What all checks said over one transport, by name; "" is well."""
    with Emulator(topology()) as bus:
        string = bus.connection_string()
        if request.param == "websocket":
            string = string.replace("UseDevelopmentEmulator=true;", "")
        command = [str(node().node), str(SCRIPT), string, request.param, str(modules())]
        env = os.environ | {"NODE_EXTRA_CA_CERTS": str(authority())}
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=100)
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    found = {line["name"]: line["error"] for line in lines}
    return {name: found.get(name, f"it never ended\n{done.stderr[-3000:]}") for name in CHECKS}


@pytest.mark.parametrize("name", CHECKS)
def test_javascript(results, name):
    """Part B: the JavaScript SDK does what it does with the service."""
    assert results[name] == ""
