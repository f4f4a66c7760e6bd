"""Cases on a stack: brings up what each file needs when its first case comes, and gives it back."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path

from peeklock.engine.case import CaseOptions, CaseRun, told
from peeklock.engine.clients import Clients
from peeklock.engine.environments import environment_spec
from peeklock.engine.events import CaseFinished, Durations, EnvironmentReady, Event, Progress, StackReady
from peeklock.engine.invariants import BY_LEDGER
from peeklock.engine.preflight import PreflightFailed, failure_of, guarded, require
from peeklock.errors import PeeklockError
from peeklock.scenario.errors import shorten
from peeklock.scenario.model import Case, Scenario
from peeklock.stack.backend import Environment, EnvironmentSpec, Stack


def case_id(scenario: Scenario, case: Case) -> str:
    """Return `path/file.yaml::case`, with the path as seen from the working directory."""
    return f"{shorten(scenario.path)}::{case.name}"


MOST_IDLE = 4
"""Environments that wait, services running, for a file that can use them."""


def most_environments(workers: int) -> int:
    """Return how many environments a session has at most, with so many files side by side: one of those that wait may be closing,
    and one may be ahead of its file."""
    return workers + MOST_IDLE + 2


@dataclass(frozen=True)
class _Held:
    """An environment of this session and the clients for it."""

    key: str
    environment: Environment
    clients: Clients
    private: bool

    def close(self) -> None:
        self.clients.close()
        self.environment.close()


class Session:
    """One stack and the environments on it. Safe to use from several threads, one file at a time in each."""

    def __init__(
        self,
        open_stack: Callable[[], Stack],
        emit: Callable[[Event], None],
        options: CaseOptions,
        *,
        lent: bool = False,
    ) -> None:
        """`lent`: the stack is somebody else's, and stays when this is closed."""
        self._open_stack, self._emit, self._options, self._lent = open_stack, emit, options, lent
        self._stack: Stack | None = None
        self._opened_at = 0.0
        self._announced = False
        self._told_unjudged = False
        self._lock = threading.Lock()
        self._held: dict[Path, Future[_Held]] = {}
        self._ahead: Path | None = None
        """The file for which everything is brought up before its first case comes."""
        self._keys: set[str] = set()
        """Of the environments that were ever asked for."""
        self._idle: list[_Held] = []
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
            self._emit(StackReady(time.time(), seconds, stack.warm, dict(stack.timings), stack.place))

    def run(self, scenario: Scenario, case: Case) -> CaseFinished:
        """Run one case; an ability that the backend lacks is a skip with its reason, a stack that fails an error."""
        name = case_id(scenario, case)
        started = time.monotonic()
        covers, tags = tuple(scenario.covers(case)), tuple(scenario.tags(case))
        try:
            if reason := self._why_not(scenario, case):
                return CaseFinished(time.time(), name, "skipped", Durations(), reason=reason, covers=covers, tags=tags)
            scenario = self._judged(scenario)
            held = self._environment(scenario)
        except PreflightFailed as failed:
            durations = Durations(setup=time.monotonic() - started)
            failure = failure_of(scenario, failed.report)
            return CaseFinished(time.time(), name, "failed", durations, failure=failure, covers=covers)
        except Exception as error:  # noqa: BLE001  the run goes on, whatever it is
            durations = Durations(setup=time.monotonic() - started)
            trace = "" if isinstance(error, PeeklockError) else "".join(traceback.format_exception(error))
            reason = told(error)
            return CaseFinished(
                time.time(), name, "error", durations, reason=reason, covers=covers, tags=tags, traceback=trace
            )
        brought_up = time.monotonic() - started
        with self._case_lock(case):
            finished = CaseRun(scenario, case, name, held.environment, held.clients, self._emit, self._options).run()
        if held.environment.condemned:
            self.discard(scenario)
        return replace(finished, durations=finished.durations + Durations(setup=brought_up))

    def shared(self, scenario: Scenario) -> str | None:
        """Return what files have in common that hand their environment on to each other; None for one that does so with nobody."""
        spec = environment_spec(scenario, self._options.cache)
        return None if spec.private else spec.key

    def prepare(self, scenario: Scenario, cases: Sequence[Case]) -> None:
        """Bring up what a file needs while the cases of others run, unless one of them will hand it on.

        Returns at once. One file at most is that far ahead.
        """
        if all(self._why_not(scenario, case) for case in cases):
            return
        spec = self._spec(scenario)
        with self._lock:
            if self._ahead is not None or scenario.path in self._held or (spec.key in self._keys and not spec.private):
                return
            self._ahead = scenario.path
            promise = self._held[scenario.path] = Future()
        threading.Thread(target=self._keep, args=(promise, scenario), name="ahead", daemon=True).start()

    def finish(self, scenario: Scenario) -> None:
        """Give the environment of a file back, for the next file with the same stack and services, or for good."""
        with self._lock:
            promise = self._held.pop(scenario.path, None)
        if promise is None or promise.exception() is not None:
            return
        held = promise.result()
        with self._lock:
            if held.private:  # a whole stack that waits for nobody
                surplus: _Held | None = held
            else:
                self._idle.append(held)
                surplus = self._idle.pop(0) if len(self._idle) > MOST_IDLE else None
        if surplus is not None:
            surplus.close()

    def close(self) -> None:
        """Give everything back and end the stack, unless it is a warm one."""
        brought_up = [promise.result() for promise in self._held.values() if promise.exception() is None]
        for held in (*brought_up, *self._idle):
            held.close()
        self._held.clear()
        self._idle.clear()
        if self._stack is not None and not self._lent:
            self._stack.close()
        self._stack = None

    def _environment(self, scenario: Scenario) -> _Held:
        with self._lock:
            if self._ahead == scenario.path:
                self._ahead = None
            promise = self._held.get(scenario.path)
            if is_first := promise is None:
                promise = self._held[scenario.path] = Future()
        if is_first:
            self._keep(promise, scenario)
        # one that failed is kept as well: the file's other cases would fail in the same way, each after the same wait
        return promise.result()

    def _keep(self, promise: Future[_Held], scenario: Scenario) -> None:
        try:
            promise.set_result(self._take(scenario, self._spec(scenario)))
        except BaseException as error:  # noqa: BLE001  it belongs to whoever asks for the environment
            promise.set_exception(error)

    def retry(self, scenario: Scenario) -> None:
        """Forget that a file's environment could not be brought up: its next case tries again."""
        with self._lock:
            promise = self._held.get(scenario.path)
            if promise is not None and promise.done() and promise.exception() is not None:
                del self._held[scenario.path]

    def discard(self, scenario: Scenario) -> None:
        """Take down the environment of a file, if it has one: its next case has a new one."""
        with self._lock:
            promise = self._held.pop(scenario.path, None)
        if promise is not None and promise.exception() is None:
            promise.result().close()

    def _judged(self, scenario: Scenario) -> Scenario:
        """Return the file without the invariants that only a whole ledger can judge, where there is none; that is told once."""
        always = [name for name in scenario.header.always if name not in BY_LEDGER]
        if "exact_ledger" in self.stack().abilities or len(always) == len(scenario.header.always):
            return scenario
        with self._lock:
            first, self._told_unjudged = not self._told_unjudged, True
        if first:
            text = (
                f"not judged on the {self.stack().backend} backend, for want of a whole ledger: {', '.join(BY_LEDGER)}"
            )
            self._emit(Progress(time.time(), text))
        return replace(scenario, header=scenario.header.model_copy(update={"always": always}))

    def _why_not(self, scenario: Scenario, case: Case) -> str:
        """Return why a case cannot run on this stack; empty when it can."""
        stack = self.stack()
        missing = [ability for ability in scenario.requires(case) if ability not in stack.abilities]
        if missing:
            reasons = [why for ability in missing if (why := stack.why_not(ability))]
            return "; ".join([f"the {stack.backend} backend has not the ability: {', '.join(missing)}", *reasons])
        return stack.lacks(scenario.header.stack) or _elsewhere(scenario, case)

    def _spec(self, scenario: Scenario) -> EnvironmentSpec:
        spec = environment_spec(scenario, self._options.cache)
        if self._options.relayed and not spec.relayed:
            spec = replace(spec, relayed=True, key=f"{spec.key}-relayed")
        if spec.movable_clock and "clock" not in self.stack().abilities:  # its other cases can do without
            spec = replace(spec, movable_clock=False)
        return guarded(scenario, spec) if scenario.header.preflight else spec

    def _take(self, scenario: Scenario, spec: EnvironmentSpec) -> _Held:
        idle = self._idle_one(spec)
        held = idle or self._bring_up(scenario, spec)
        if scenario.header.preflight:
            try:
                if idle is not None:
                    held.environment.reset()  # whatever the cases of others have left behind
                require(scenario, held.environment)
            except BaseException:
                held.close()
                raise
        return held

    def _idle_one(self, spec: EnvironmentSpec) -> _Held | None:
        with self._lock:
            self._keys.add(spec.key)
            for index, idle in enumerate(self._idle):
                if idle.key == spec.key:
                    return self._idle.pop(index)
        return None

    def _bring_up(self, scenario: Scenario, spec: EnvironmentSpec) -> _Held:
        started = time.monotonic()
        stack = self.stack()
        environment = stack.environment(spec)
        self._announce(stack)
        self._emit(EnvironmentReady(time.time(), shorten(scenario.path), time.monotonic() - started))
        return _Held(spec.key, environment, Clients(environment, spec.root), spec.private)

    def _case_lock(self, case: Case) -> threading.Lock:
        if not case.header.lock:
            return threading.Lock()
        with self._lock:
            return self._case_locks.setdefault(case.header.lock, threading.Lock())


def _elsewhere(scenario: Scenario, case: Case) -> str:
    """Return why a case cannot run on a Postgres that is somebody else's; empty when it can."""
    postgres = scenario.header.stack.postgres
    if postgres is None or postgres.url is None:
        return ""
    for what, asked in (
        ("its clock moved", scenario.moves_clock(case)),
        ("it ended", scenario.ends_dependencies()),
        ("faults before it", "faults" in scenario.requires(case)),
    ):
        if asked:
            return f"stack.postgres.url: the server is not Peeklock's, and the case needs {what}"
    return ""
