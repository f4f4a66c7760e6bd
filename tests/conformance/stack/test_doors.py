"""Services that know an account and a model by their production names reach those of their own environment."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob import BlobServiceClient

from peeklock.scenario.services import Ready
from peeklock.scenario.topology import Blobs, OpenAI
from peeklock.stack.backend import Environment
from peeklock.stack.containers.stack import ContainersStack
from peeklock.stack.embedded.stack import EmbeddedStack
from peeklock.stack.embedded.tools import node
from peeklock.standins import Surroundings
from tests.conformance.servicebus.js.test_parity import modules
from tests.conformance.stack.conftest import Project
from tests.conformance.stack.engine import engine_or_skip
from tests.conformance.stack.test_standins import NoFunctions

CLIENTS = Path(__file__).parent / "clients"
ACCOUNT, RESOURCE = "defectiq4852854", "contoso-models"
BLOBS = Blobs.model_validate({"name": ACCOUNT, "containers": ["images"]})
OPENAI = OpenAI.model_validate({"name": RESOURCE, "deployments": {"gpt": {"answers": {"text": "good day"}}}})


def spec(project: Project, *command: str, name: str = "named", **more: Any) -> Any:
    """Return the spec of an environment whose one service runs a command that ends when it has sent."""
    service = project.service().model_copy(update={"run": list(command), "ready": Ready(log="sent")})
    made = project.spec(name=name, postgres=False, servicebus=False, services={"sender": service}, key=name, **more)
    around = Surroundings(lambda value, /, **_: value, lambda _: "", Path(), NoFunctions(), lambda: 0.0)
    stack = made.stack.model_copy(update={"blobs": BLOBS, "openai": OPENAI})
    return dataclasses.replace(made, stack=stack, surroundings=lambda *_: around)


def blobs(environment: Environment) -> dict[str, str]:
    """Return what is in the environment's container, asked for as the test's own steps do."""
    account = BlobServiceClient.from_connection_string(environment.endpoints.blobs_connection_string or "")
    with account, account.get_container_client("images") as container:
        return {blob.name: container.download_blob(blob.name).readall().decode() for blob in container.list_blobs()}


def python(text: str) -> list[str]:
    return ["python", str(CLIENTS / "doors_by_name.py"), ACCOUNT, RESOURCE, text]


@pytest.mark.parametrize("relayed", [False, True])
def test_python_s_clients_reach_them(project: Project, nothing_left: Callable[[], None], relayed: bool) -> None:
    """Where faults can strike, too."""
    with EmbeddedStack.start(project.root, room=2) as stack:
        environment = stack.environment(spec(project, *python("hello"), relayed=relayed))
        assert blobs(environment) == {"sync": "hello", "async": "hello"}
        assert len(environment.standins["openai"].journal.entries()) == 3
        environment.close()


def test_node_s_clients_reach_them(project: Project, nothing_left: Callable[[], None]) -> None:
    command = [str(node().node), str(CLIENTS / "doors_by_name.mjs"), str(modules()), ACCOUNT, RESOURCE, "hello"]
    with EmbeddedStack.start(project.root, room=2) as stack:
        environment = stack.environment(spec(project, *command))
        assert blobs(environment) == {"node": "hello"}
        environment.close()


def test_a_container_s_clients_reach_them(project: Project, nothing_left: Callable[[], None]) -> None:
    engine_or_skip("peeklock/services")
    code = (CLIENTS / "doors_by_name.py").read_text()
    with ContainersStack.start(project.root, room=1) as stack:
        named = spec(project, "python", "-c", code, ACCOUNT, RESOURCE, "hello")
        named.services["sender"] = named.services["sender"].model_copy(update={"image": "peeklock/services"})
        environment = stack.environment(named)
        assert blobs(environment) == {"sync": "hello", "async": "hello"}
        environment.close()


def test_environments_with_one_name_do_not_meet(project: Project, nothing_left: Callable[[], None]) -> None:
    with EmbeddedStack.start(project.root, room=2) as stack:
        environments = [
            stack.environment(spec(project, *python(text), name=text)) for text in ("first", "second")
        ]  # fmt: skip
        for environment, text in zip(environments, ("first", "second"), strict=True):
            assert set(blobs(environment).values()) == {text}
            environment.close()
