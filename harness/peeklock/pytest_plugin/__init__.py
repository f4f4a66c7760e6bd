"""Peeklock in pytest: fixtures for any suite, and scenario files as items where a project asks for it.

`pytest scenarios -k sas -n 2` runs cases; each process of pytest-xdist has a stack of its own, or shares the warm one of
`peeklock up`. `peeklock_stack` brings it up once a session, `peeklock_servicebus` gives each test an emulator of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from peeklock import servicebus as bus
from peeklock.scenario.files import is_scenario_file

if TYPE_CHECKING:
    from peeklock.stack.backend import Stack

_MARKER = "peeklock_queues"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--peeklock-backend` and the ini value `peeklock_scenarios`."""
    group = parser.getgroup("peeklock", "scenario files (*.yaml)")
    group.addoption("--peeklock-backend", default="auto", help="auto, embedded, containers or azure")
    parser.addini(
        "peeklock_scenarios",
        "folders whose scenario files are collected, and patterns such as e2e/*.yaml; "
        "default: scenarios, where there is a peeklock.yaml",
        type="args",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Tell of the marker."""
    config.addinivalue_line(
        "markers", f"{_MARKER}(*names, **described): the queues of the `peeklock_servicebus` fixture"
    )


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect a scenario file of a project that wants it: YAML files of others are none of our business."""
    if file_path.suffix != ".yaml" or file_path.name.startswith("."):
        return None
    if not _wanted(file_path, parent.config) or not is_scenario_file(file_path):
        return None
    from peeklock.pytest_plugin.scenarios import ScenarioFile  # 0.5 s, in suites with scenarios alone

    return ScenarioFile.from_parent(parent, path=file_path)


def _wanted(path: Path, config: pytest.Config) -> bool:
    """Tell whether a file is named `*.scenario.yaml`, or one of those that the project names."""
    if path.name.endswith(".scenario.yaml"):
        return True
    root = config.rootpath
    named = config.getini("peeklock_scenarios") or (["scenarios"] if (root / "peeklock.yaml").exists() else [])
    return any(path.is_relative_to(root / each) or fnmatch(str(path), str(root / each)) for each in named)


@pytest.fixture(scope="session")
def peeklock_stack(pytestconfig: pytest.Config) -> Iterator[Stack]:
    """Postgres, blobs and Service Bus, up for the whole session; `peeklock_stack.environment(spec)` leases a part of it."""
    from peeklock.pytest_plugin.scenarios import running  # 0.5 s, in suites that ask for a stack

    yield running(pytestconfig).stack()
    running(pytestconfig).close()


def _emulator(*queues: str, **described: dict[str, Any]) -> bus.Emulator:
    named = {name: bus.Queue() for name in queues} | {name: bus.Queue(**facts) for name, facts in described.items()}
    return bus.Emulator(bus.Topology(queues=named))


@pytest.fixture(scope="session")
def peeklock_servicebus_factory() -> Iterator[Callable[..., bus.Emulator]]:
    """Start Service Bus emulators with the queues you name: `peeklock_servicebus_factory("jobs", results={"max_delivery_count": 3})`."""
    with ExitStack() as running:
        yield lambda *queues, **described: running.enter_context(_emulator(*queues, **described))


@pytest.fixture
def peeklock_servicebus(request: pytest.FixtureRequest) -> Iterator[bus.Emulator]:
    """A Service Bus of its own for one test; `@pytest.mark.peeklock_queues("jobs", "results")` names its queues (default: `queue`)."""
    marker = request.node.get_closest_marker(_MARKER)
    with _emulator(*(marker.args if marker else ("queue",)), **(marker.kwargs if marker else {})) as emulator:
        yield emulator
