"""Cases on a stack: brings up what each file needs when its first case comes, and gives it back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from harness.engine.case import CaseOptions, run_case
from harness.engine.clients import Clients
from harness.engine.environments import environment_spec
from harness.engine.events import CaseFinished, Durations, EnvironmentReady, Event, StackReady
from harness.scenario.errors import shorten
from harness.scenario.model import Case, Scenario
from harness.stack import Environment, Stack, StackError


def case_id(scenario: Scenario, case: Case) -> str:
    """Return `path/file.yaml::case`, with the path as seen from the working directory."""
    return f"{shorten(scenario.path)}::{case.name}"


class Session:
    """One stack and the environments on it. Safe to use from several threads, one file at a time in each."""

    def __init__(self, open_stack: Callable[[], Stack], emit: Callable[[Event], None], options: CaseOptions) -> None:
        self._open_stack, self._emit, self._options = open_stack, emit, options
        self._stack: Stack | None = None
        self._opened_at = 0.0
        self._announced = False
        self._lock = threading.Lock()
        self._environments: dict[Path, tuple[Environment, Clients] | StackError] = {}
        self._case_locks: dict[str, threading.Lock] = {}

    def stack(self) -> Stack:
        """Return the stack, opened at the first call. Raises `StackError`."""
        with self._lock:
            if self._stack is None:
                self._opened_at = time.monotonic()
                self._stack = self._open_stack()
            return self._stack

    def _announce(self, stack: Stack) -> None:
        with self._lock:
            announced, self._announced = self._announced, True
        if not announced:
            seconds = time.monotonic() - self._opened_at if stack.warm else max(stack.timings.values(), default=0.0)
            self._emit(StackReady(time.time(), seconds, stack.warm, dict(stack.timings)))

    def run(self, scenario: Scenario, case: Case) -> CaseFinished:
        """Run one case; an ability that the backend lacks is a skip with its reason, a stack that fails an error."""
        name = case_id(scenario, case)
        started = time.monotonic()
        covers = tuple(scenario.covers(case))
        try:
            missing = [ability for ability in scenario.requires(case) if ability not in self.stack().abilities]
            if missing:
                reason = f"the {self.stack().backend} backend has not the ability: {', '.join(missing)}"
                return CaseFinished(time.time(), name, "skipped", Durations(), reason=reason, covers=covers)
            environment, clients = self._environment(scenario)
        except StackError as error:
            durations = Durations(setup=time.monotonic() - started)
            return CaseFinished(time.time(), name, "error", durations, reason=str(error), covers=covers)
        brought_up = time.monotonic() - started
        with self._case_lock(case):
            finished = run_case(scenario, case, name, environment, clients, self._emit, self._options)
        return replace(finished, durations=finished.durations + Durations(setup=brought_up))

    def finish(self, scenario: Scenario) -> None:
        """Give the environment of a file back."""
        with self._lock:
            held = self._environments.pop(scenario.path, None)
        if held is not None and not isinstance(held, StackError):
            environment, clients = held
            clients.close()
            environment.close()

    def close(self) -> None:
        """Give everything back and end the stack, unless it is a warm one."""
        for held in list(self._environments.values()):
            if not isinstance(held, StackError):
                held[1].close()
                held[0].close()
        self._environments.clear()
        if self._stack is not None:
            self._stack.close()
            self._stack = None

    def _environment(self, scenario: Scenario) -> tuple[Environment, Clients]:
        held = self._environments.get(scenario.path)
        if held is None:
            started = time.monotonic()
            try:
                stack = self.stack()
                environment = stack.environment(environment_spec(scenario, self._options.cache))
            except StackError as error:
                # the file's other cases would fail in the same way, each after the same wait
                self._environments[scenario.path] = error
                raise
            self._announce(stack)
            held = self._environments[scenario.path] = (environment, Clients(environment))
            self._emit(EnvironmentReady(time.time(), shorten(scenario.path), time.monotonic() - started))
        if isinstance(held, StackError):
            raise held
        return held

    def _case_lock(self, case: Case) -> threading.Lock:
        if not case.header.lock:
            return threading.Lock()
        with self._lock:
            return self._case_locks.setdefault(case.header.lock, threading.Lock())
