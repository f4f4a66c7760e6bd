"""Stand-ins come and go with their environment."""

from __future__ import annotations

import dataclasses
import json
import threading
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from peeklock.errors import PeeklockError
from peeklock.scenario.services import Service
from peeklock.scenario.topology import OpenAI
from peeklock.stack.backend import EnvironmentSpec
from peeklock.stack.embedded.stack import EmbeddedStack
from peeklock.standins import Surroundings
from tests.conformance.stack.conftest import Project

SPEC = OpenAI.model_validate({"deployments": {"gpt": {"answers": {"text": "good day"}}}})


class NoFunctions:
    def call(self, *_: Any) -> Any:
        raise AssertionError

    def close(self) -> None:
        """Nothing to close."""


def looking(project: Project, **services: Service) -> EnvironmentSpec:
    spec = project.spec(postgres=False, blobs=False, servicebus=False, services=services)
    around = Surroundings(lambda value, /, **_: value, lambda _: "", Path(), NoFunctions(), lambda: 0.0)
    stack = spec.stack.model_copy(update={"openai": SPEC})
    return dataclasses.replace(spec, stack=stack, surroundings=lambda *_: around)


def listening() -> list[str]:
    return [thread.name for thread in threading.enumerate() if "OpenAI" in thread.name]


def test_each_service_is_told_the_endpoint_and_a_key_of_its_own(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never those of the caller's own environment, which may be production's."""
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "production")
    with EmbeddedStack.start(project.root, room=2) as stack:
        environment = stack.environment(looking(project, api=project.service(), worker=project.service()))
        told = [json.loads(urllib.request.urlopen(environment.services.url(n)).read()) for n in ("api", "worker")]
        assert {each["AZURE_OPENAI_ENDPOINT"] for each in told} == {environment.endpoints.openai_url}
        assert [each["AZURE_OPENAI_API_KEY"] for each in told] == [
            environment.endpoints.openai_keys[name] for name in ("api", "worker")
        ]
        assert len({*environment.endpoints.openai_keys.values()}) == 3
        without = project.spec(postgres=False, blobs=False, servicebus=False, services={"api": project.service()})
        other = stack.environment(without)
        assert "AZURE_OPENAI_API_KEY" not in json.loads(urllib.request.urlopen(other.services.url("api")).read())


def test_nothing_listens_after_an_environment_that_did_not_come_up(project: Project) -> None:
    failing = Service.model_validate({"run": ["python", "-c", "raise SystemExit(3)"], "ready": {"http": "/"}})
    with EmbeddedStack.start(project.root, room=1) as stack:
        with pytest.raises(PeeklockError):
            stack.environment(looking(project, api=failing))
        assert listening() == []
        environment = stack.environment(looking(project, api=project.service()))
        assert len(listening()) == 1
        environment.close()
        assert listening() == []
