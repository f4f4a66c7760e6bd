"""pytest collects scenario files as items, and gives the pieces of Peeklock to any test suite as fixtures.

`pytest scenarios -k sas -n 2` runs cases; each process of pytest-xdist has a stack of its own, or shares the warm one of
`peeklock up`. The fixture `stack` brings it up once a session, `servicebus` gives each test an emulator of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from peeklock import servicebus as bus
from peeklock.scenario.files import is_scenario_file

if TYPE_CHECKING:
    from peeklock.stack.backend import Stack


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--peeklock-backend`."""
    group = parser.getgroup("peeklock", "scenario files (*.yaml)")
    group.addoption("--peeklock-backend", default="auto", help="auto, embedded, containers or azure")


def pytest_configure(config: pytest.Config) -> None:
    """Tell of the marker."""
    config.addinivalue_line("markers", "queues(*names, **described): the queues of the `servicebus` fixture")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect a scenario file."""
    if file_path.suffix != ".yaml" or file_path.name.startswith(".") or not is_scenario_file(file_path):
        return None
    from peeklock.pytest_plugin.scenarios import ScenarioFile  # 0.5 s, in suites with scenarios alone

    return ScenarioFile.from_parent(parent, path=file_path)


@pytest.fixture(scope="session")
def stack(pytestconfig: pytest.Config) -> Stack:
    """Postgres, blobs and Service Bus, up for the whole session; `stack.environment(spec)` leases a part of it."""
    from peeklock.pytest_plugin.scenarios import running  # 0.5 s, in suites that ask for a stack

    return running(pytestconfig).stack()


def _emulator(*queues: str, **described: dict[str, Any]) -> bus.Emulator:
    named = {name: bus.Queue() for name in queues} | {name: bus.Queue(**facts) for name, facts in described.items()}
    return bus.Emulator(bus.Topology(queues=named))


@pytest.fixture(scope="session")
def servicebus_factory() -> Iterator[Callable[..., bus.Emulator]]:
    """Start Service Bus emulators with the queues you name: `servicebus_factory("jobs", results={"max_delivery_count": 3})`."""
    with ExitStack() as running:
        yield lambda *queues, **described: running.enter_context(_emulator(*queues, **described))


@pytest.fixture
def servicebus(request: pytest.FixtureRequest) -> Iterator[bus.Emulator]:
    """A Service Bus of its own for one test; `@pytest.mark.queues("jobs", "results")` names its queues (default: `queue`)."""
    marker = request.node.get_closest_marker("queues")
    with _emulator(*(marker.args if marker else ("queue",)), **(marker.kwargs if marker else {})) as emulator:
        yield emulator
