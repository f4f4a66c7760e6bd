"""pytest collects scenario files as items, and gives the pieces of Peeklock to any test suite as fixtures.

`pytest scenarios -k sas -n 2` runs cases; each process of pytest-xdist has a stack of its own, or shares the warm one of
`peeklock up`. The fixtures `stack` and `servicebus` bring up what they need once a session.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from peeklock.engine.events import CaseFinished
    from peeklock.engine.session import Session
    from peeklock.scenario.model import Case, Scenario
    from peeklock.servicebus import Emulator
    from peeklock.stack.backend import Stack


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--peeklock-backend`."""
    group = parser.getgroup("peeklock", "scenario files (*.yaml)")
    group.addoption("--peeklock-backend", default="auto", help="auto, embedded, containers or azure")


def pytest_configure(config: pytest.Config) -> None:
    """Hold the session's stack and the folder of its artefacts."""
    config.addinivalue_line("markers", "queues(*names, **described): the queues of the `servicebus` fixture")
    config.stash[_HELD] = _Held(config)


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the stack."""
    held = config.stash.get(_HELD, None)
    if held is not None:
        held.close()


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect a scenario file."""
    if file_path.suffix != ".yaml" or file_path.name.startswith("."):
        return None
    # a suite without scenarios should not pay for these imports
    from peeklock.scenario.loader import is_scenario_file

    if not is_scenario_file(file_path):
        return None
    return ScenarioFile.from_parent(parent, path=file_path)


class ScenarioFile(pytest.File):
    """One scenario file."""

    def collect(self) -> Iterator[pytest.Item]:
        """Yield its cases; a file that is not well written is a collection error with all its problems."""
        from peeklock.engine.plan import load_all
        from peeklock.scenario.errors import ScenarioInvalid
        from peeklock.verbs import VOCABULARY

        try:
            scenarios = load_all([self.path], VOCABULARY)
        except ScenarioInvalid as error:
            raise self.CollectError(str(error)) from None
        for scenario in scenarios:
            for case in scenario.cases:
                yield CaseItem.from_parent(self, name=case.name, scenario=scenario, case=case)


class CaseItem(pytest.Item):
    """One case."""

    def __init__(self, *, scenario: Scenario, case: Case, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._scenario, self._case = scenario, case
        for tag in scenario.tags(case):
            self.extra_keyword_matches.add(tag)
        self.extra_keyword_matches.update(scenario.covers(case))
        for criterion in scenario.covers(case):
            self.user_properties.append(("covers", criterion))

    def setup(self) -> None:
        """Give the environment of a file that is done back."""
        self.config.stash[_HELD].enter(self._scenario)

    def runtest(self) -> None:
        """Run the case."""
        finished = self.config.stash[_HELD].run(self._scenario, self._case)
        if finished.outcome == "skipped":
            pytest.skip(finished.reason)
        if finished.outcome == "error":
            raise CaseFailed(f"{finished.reason}\n{finished.traceback}".strip())
        if finished.outcome == "failed":
            from peeklock.reports.failure_text import render_failure

            raise CaseFailed("\n".join(render_failure(finished)))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Return a failure as `peeklock run` prints it."""
        if isinstance(excinfo.value, CaseFailed):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Return the file, the line (from 0) and the name of the case."""
        line = self._scenario.document.key_span(self._case.path).line
        return self.path, line - 1, f"{self.path.name}::{self.name}"


class CaseFailed(Exception):
    """A case failed; the message is the whole report."""


class _Held:
    """The stack of this pytest process, and the environment of the file whose cases run now."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._session: Session | None = None
        self._stack: Stack | None = None
        self._folder: Path | None = None
        self._current: Scenario | None = None

    def stack(self) -> Stack:
        if self._stack is None:
            from peeklock.stack.choice import choose_backend
            from peeklock.stack.open import open_stack
            from peeklock.stack.project.root import stack_root

            root = stack_root(self._config.rootpath)
            backend, _why = choose_backend(self._config.getoption("--peeklock-backend"), root)
            self._stack = open_stack(root, backend)
        return self._stack

    def enter(self, scenario: Scenario) -> None:
        if self._current is not None and self._current.path != scenario.path and self._session is not None:
            self._session.finish(self._current)
        self._current = scenario

    def run(self, scenario: Scenario, case: Case) -> CaseFinished:
        from peeklock.engine.case import CaseOptions
        from peeklock.engine.session import Session
        from peeklock.reports.artefacts import write_artefacts
        from peeklock.reports.run_folder import new_run_folder
        from peeklock.stack.project.cache import cache_dir

        if self._session is None:
            self._session = Session(self.stack, lambda _event: None, CaseOptions(cache=cache_dir()))
        finished = self._session.run(scenario, case)
        if finished.outcome not in ("failed", "error"):
            return replace(finished, record=None)
        if self._folder is None:
            self._folder = new_run_folder(scenario.root)
        return write_artefacts(finished, self._folder)

    def close(self) -> None:
        if self._session is not None:
            self._session.close()
        if self._stack is not None:
            self._stack.close()
        self._session = self._stack = None


_HELD = pytest.StashKey[_Held]()


@pytest.fixture(scope="session")
def stack(pytestconfig: pytest.Config) -> Stack:
    """Postgres, blobs and Service Bus, up for the whole session; `stack.environment(spec)` leases a part of it."""
    return pytestconfig.stash[_HELD].stack()


@pytest.fixture(scope="session")
def servicebus_factory() -> Iterator[Callable[..., Emulator]]:
    """Start Service Bus emulators with the queues you name: `servicebus_factory("jobs", results={"max_delivery_count": 3})`."""
    from peeklock.servicebus import Emulator, Queue, Topology

    running: list[Emulator] = []

    def start(*queues: str, **described: dict[str, Any]) -> Emulator:
        topology = Topology(
            queues={name: Queue() for name in queues} | {name: Queue(**facts) for name, facts in described.items()}
        )
        emulator = Emulator(topology)
        running.append(emulator.__enter__())
        return emulator

    yield start
    for emulator in running:
        emulator.__exit__(None, None, None)


@pytest.fixture
def servicebus(servicebus_factory: Callable[..., Emulator], request: pytest.FixtureRequest) -> Emulator:
    """A Service Bus of its own for one test; `@pytest.mark.queues("jobs", "results")` names its queues (default: `queue`)."""
    marker = request.node.get_closest_marker("queues")
    return servicebus_factory(*(marker.args if marker else ("queue",)), **(marker.kwargs if marker else {}))
