"""Scenario files as pytest items, on one stack a process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from peeklock.engine.case import CaseOptions
from peeklock.engine.events import CaseFinished
from peeklock.engine.plan import load_all
from peeklock.engine.session import Session
from peeklock.errors import PeeklockError
from peeklock.reports.artefacts import write_artefacts
from peeklock.reports.failure_text import cause_line, render_failure
from peeklock.reports.run_folder import new_run_folder
from peeklock.scenario.errors import ScenarioInvalid
from peeklock.scenario.model import Case, Scenario
from peeklock.stack.backend import Stack
from peeklock.stack.choice import choose_backend
from peeklock.stack.loopback import keep_to_loopback
from peeklock.stack.open import open_stack
from peeklock.stack.project.cache import cache_dir
from peeklock.stack.project.root import stack_root
from peeklock.verbs import VOCABULARY


class Running:
    """The stack of this pytest process, and the environment of the file whose cases run now."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._session: Session | None = None
        self._stack: Stack | None = None
        self._folder: Path | None = None
        self._current: Scenario | None = None

    def stack(self) -> Stack:
        """Return the stack, opened at the first call."""
        if self._stack is None:
            keep_to_loopback()
            root = stack_root(self._config.rootpath)
            backend, _why = choose_backend(self._config.getoption("--peeklock-backend"), root)
            self._stack = open_stack(root, backend)
        return self._stack

    def enter(self, scenario: Scenario) -> None:
        if self._current is not None and self._current.path != scenario.path and self._session is not None:
            self._session.finish(self._current)
        self._current = scenario

    def run(self, scenario: Scenario, case: Case) -> CaseFinished:

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


RUNNING = pytest.StashKey[Running]()


def running(config: pytest.Config) -> Running:
    """Return what runs for this pytest process, begun at the first call."""
    if RUNNING not in config.stash:
        config.stash[RUNNING] = Running(config)
        config.add_cleanup(config.stash[RUNNING].close)
    return config.stash[RUNNING]


class ScenarioFile(pytest.File):
    """One scenario file."""

    def collect(self) -> Iterator[pytest.Item]:
        """Yield its cases; a file that is not well written is a collection error with all its problems."""
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
        running(self.config).enter(self._scenario)

    def runtest(self) -> None:
        """Run the case."""
        finished = running(self.config).run(self._scenario, self._case)
        if finished.outcome == "skipped":
            pytest.skip(finished.reason)
        if finished.outcome == "error":
            raise CaseFailed(f"{finished.reason}\n{finished.traceback}".strip(), finished.reason)
        if finished.failure is not None:
            raise CaseFailed("\n".join(render_failure(finished)), cause_line(finished.failure))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Return a failure as `peeklock run` prints it, of which pytest's summary has what did not hold."""
        if isinstance(excinfo.value, CaseFailed):
            told: Any = excinfo.getrepr(style="value")
            path, line, _ = self.reportinfo()
            crash = replace(told.reprcrash, path=str(path), lineno=line + 1, message=excinfo.value.summary)
            told.reprcrash, told.chain = crash, [(told.reprtraceback, crash, None)]  # xdist sends the chain alone
            return told
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Return the file, the line (from 0) and the name of the case."""
        line = self._scenario.document.key_span(self._case.path).line
        return self.path, line - 1, self.name


class CaseFailed(PeeklockError):
    """A case failed; the message is the whole report."""

    def __init__(self, report: str, summary: str) -> None:
        """`summary`: what did not hold, in a line."""
        super().__init__(report)
        self.summary = summary
