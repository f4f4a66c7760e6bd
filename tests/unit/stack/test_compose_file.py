"""The compose file keeps the promises of the stack, as far as one can see without starting it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from peeklock.servicebus.config import load_namespaces
from peeklock.stack.containers.images import KINDS

COMPOSE = Path(__file__).parents[3] / "compose"


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    document = YAML(typ="safe", pure=True).load((COMPOSE / "docker-compose.yml").read_text())
    found: dict[str, Any] = document["services"]
    return found


def test_every_image_is_one_that_is_built_here(services: dict[str, Any]) -> None:
    assert {service["image"] for service in services.values()} == {f"peeklock/{kind}:latest" for kind in KINDS}


def test_it_is_published_on_loopback_only(services: dict[str, Any]) -> None:
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert len(ports) == 4
    assert all(re.fullmatch(r"127\.0\.0\.1:\$\{[A-Z_]+:-\d+\}:\d+", port) for port in ports), ports


def test_nothing_starts_before_what_it_needs_is_healthy_or_done(services: dict[str, Any]) -> None:
    for name, service in services.items():
        for needed, how in service.get("depends_on", {}).items():
            once = services[needed].get("healthcheck") == {"disable": True}
            assert how["condition"] == ("service_completed_successfully" if once else "service_healthy"), (name, needed)


def test_the_queues_are_those_of_the_scenarios(services: dict[str, Any]) -> None:
    mount = services["servicebus"]["volumes"][0].split(":")[0]
    (topology,) = load_namespaces(str(COMPOSE / mount), port=5672).values()
    base = YAML(typ="safe", pure=True).load((COMPOSE.parent / "scenarios" / "intellioptics" / "base.yaml").read_text())
    assert set(topology.queues) == set(base["stack"]["servicebus"]["queues"])
