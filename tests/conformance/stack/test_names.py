"""A service that knows only production names reaches its own environment, with unchanged clients."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from peeklock.scenario.services import Ready
from peeklock.scenario.topology import ServiceBus
from peeklock.servicebus import Client
from peeklock.stack.backend import Environment
from peeklock.stack.containers.stack import ContainersStack
from peeklock.stack.embedded.stack import EmbeddedStack
from peeklock.stack.embedded.tools import node
from peeklock.stack.errors import StackError
from peeklock.stack.names.bundle import write_bundle
from peeklock.stack.names.variables import name_variables
from tests.conformance.servicebus.js.test_parity import modules
from tests.conformance.stack.conftest import Project
from tests.conformance.stack.engine import engine_or_skip

CLIENTS = Path(__file__).parent / "clients"
NAME = "wiko-defects-96027"
NAMED = ServiceBus.model_validate({"name": NAME, "queues": {"jobs": {}}})


def spec(project: Project, *command: str, name: str = "named") -> Any:
    """Return the spec of an environment whose one service runs a command that ends when it has sent."""
    service = project.service().model_copy(update={"run": list(command), "ready": Ready(log="sent")})
    made = project.spec(name=name, postgres=False, blobs=False, services={"sender": service}, key=name)
    return dataclasses.replace(made, stack=made.stack.model_copy(update={"servicebus": NAMED}))


def bodies(environment: Environment) -> set[str]:
    """Return what is in the environment's queue."""
    with Client(environment.endpoints.servicebus_connection_string or "") as client:
        return {bytes(message.body).decode().strip('"') for message in client.peek("jobs")}


def test_python_s_clients_reach_it(project: Project, nothing_left: Callable[[], None]) -> None:
    """AMQP, WebSocket and administration, sync and async: azure-servicebus trusts certifi, the others each something else."""
    command = ["python", str(CLIENTS / "by_name.py"), NAME, "hello", "administration"]
    with EmbeddedStack.start(project.root, room=2) as stack:
        environment = stack.environment(spec(project, *command))
        ways = ("Amqp", "AmqpOverWebsocket")
        assert bodies(environment) == {f"hello {kind} {way}" for kind in ("sync", "async") for way in ways}
        (told,) = [line.record for line in environment.services.logs()[0] if line.record]
        assert told["warnoptions"] == []
        environment.close()


def test_node_s_clients_reach_it(project: Project, nothing_left: Callable[[], None]) -> None:
    command = [str(node().node), str(CLIENTS / "by_name.mjs"), str(modules()), NAME, "hello"]
    with EmbeddedStack.start(project.root, room=2) as stack:
        environment = stack.environment(spec(project, *command))
        assert bodies(environment) == {"hello"}
        environment.close()


def test_a_container_s_clients_reach_it(project: Project, nothing_left: Callable[[], None]) -> None:
    """The emulator and the service are containers, each with certificates of its own."""
    engine_or_skip("peeklock/services")
    code = (CLIENTS / "by_name.py").read_text()
    with ContainersStack.start(project.root, room=1) as stack:
        named = spec(project, "python", "-c", code, NAME, "hello", "Amqp")
        named.services["sender"] = named.services["sender"].model_copy(update={"image": "peeklock/services"})
        environment = stack.environment(named)
        assert bodies(environment) == {"hello sync Amqp", "hello async Amqp"}
        environment.close()


def test_an_image_that_is_nowhere_is_named(project: Project, nothing_left: Callable[[], None]) -> None:
    engine_or_skip()
    with ContainersStack.start(project.root, room=1) as stack:
        named = spec(project, "true")
        named.services["sender"] = named.services["sender"].model_copy(update={"image": "localhost:9/no/such:image"})
        with pytest.raises(StackError, match="service sender"):
            stack.environment(named)


def test_services_start_again_while_the_emulator_is_away(project: Project, nothing_left: Callable[[], None]) -> None:
    with EmbeddedStack.start(project.root, room=1) as stack:
        made = project.spec(postgres=False, blobs=False, private=True, lasting=True, key="away")
        environment = stack.environment(
            dataclasses.replace(made, stack=made.stack.model_copy(update={"servicebus": NAMED}))
        )
        environment.dependencies.kill("servicebus")
        environment.services.kill("api")
        environment.services.start("api")
        told = json.loads(urllib.request.urlopen(environment.services.url("api")).read())
        assert list(json.loads(told["PEEKLOCK_NAMES"])) == [f"{NAME}.servicebus.windows.net"]
        environment.close()


def test_environments_with_one_name_do_not_meet(project: Project, nothing_left: Callable[[], None]) -> None:
    with EmbeddedStack.start(project.root, room=2) as stack:
        environments = [
            stack.environment(spec(project, "python", str(CLIENTS / "by_name.py"), NAME, text, name=text))
            for text in ("first", "second")
        ]
        for environment, text in zip(environments, ("first", "second"), strict=True):
            assert {body.split()[0] for body in bodies(environment)} == {text}
            environment.close()


# -- the hook, in interpreters of every kind


def run(folder: Path, code: str, *options: str, port: int = 9, **own: str) -> str:
    """Return what a Python program prints in which `NAME` leads to a port."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")} | own
    bundle = write_bundle(folder, "", env)
    env |= name_variables({f"{NAME}.servicebus.windows.net": port}, bundle, env)
    argv = [sys.executable, *options, "-c", code]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
    return done.stdout.strip()


RESOLVE = f"import socket; print(socket.gethostbyname('{NAME}.ServiceBus.Windows.net.'))"


@pytest.mark.parametrize("options", [[], ["-s"], ["-P"], ["-S"], ["-X", "dev"], ["-W", "error"]])
def test_it_is_loaded_whatever_the_interpreter_is_told(tmp_path: Path, options: list[str]) -> None:
    assert run(tmp_path, RESOLVE, *options) == "127.99.0.1"


def test_what_the_service_says_itself_is_kept(tmp_path: Path) -> None:
    """Its own folders, warnings and `sitecustomize` are there as before."""
    (tmp_path / "sitecustomize.py").write_text("import builtins; builtins.theirs = 'ran'")
    (tmp_path / "mine.py").write_text("x = 1")
    code = "import sys, mine; print(theirs, sys.warnoptions)"
    assert run(tmp_path, code, PYTHONPATH=str(tmp_path), PYTHONWARNINGS="error") == "ran ['error']"


def test_a_program_that_puts_its_own_sitecustomize_first_is_served(tmp_path: Path) -> None:
    """As `opentelemetry-instrument` does, which does not run the next one."""
    code = f"import os, subprocess, sys; os.environ['PYTHONPATH'] = {str(tmp_path)!r} + os.pathsep + os.environ['PYTHONPATH']"
    code += f"; print(subprocess.check_output([sys.executable, '-c', {RESOLVE!r}], text=True))"
    (tmp_path / "sitecustomize.py").write_text("")
    assert run(tmp_path, code) == "127.99.0.1"


def test_other_names_are_resolved_as_ever(tmp_path: Path) -> None:
    assert run(tmp_path, "import socket; print(socket.gethostbyname('127.0.0.2'))") == "127.0.0.2"


@pytest.mark.parametrize("kept", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"])
def test_a_company_s_certificates_stay_trusted(tmp_path: Path, kept: str) -> None:
    (tmp_path / "company.pem").write_text("-----BEGIN CERTIFICATE-----\ncompany")
    text = write_bundle(
        tmp_path, "-----BEGIN CERTIFICATE-----\nours", {kept: str(tmp_path / "company.pem")}
    ).read_text()
    assert text.startswith("-----BEGIN CERTIFICATE-----\ncompany\n-----BEGIN CERTIFICATE-----\nours")
