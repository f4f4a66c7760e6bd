"""Runs a plan, several files side by side, and yields what happens."""

from __future__ import annotations

import contextlib
import importlib
import queue
import threading
import time
import traceback
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from peeklock.engine.agenda import Agenda
from peeklock.engine.case import CaseOptions
from peeklock.engine.events import Durations, Event, Progress, RunFinished, RunStarted, StackReady
from peeklock.engine.plan import Plan
from peeklock.engine.session import Session, case_id
from peeklock.engine.shard import Shard
from peeklock.engine.verb import Verb
from peeklock.errors import PeeklockError
from peeklock.redaction import redact
from peeklock.scenario.criteria import known_criteria
from peeklock.scenario.model import Case, Scenario, Step
from peeklock.stack.backend import Stack
from peeklock.stack.errors import named_limits


@dataclass(frozen=True)
class RunOptions:
    """How a plan is run."""

    folder: Path
    """Where artefacts go; exists."""
    backend: str = "embedded"
    why: str = ""
    workers: int = 1
    repeat: int = 1
    until_fail: bool = False
    case: CaseOptions = field(default_factory=CaseOptions)
    shard: Shard | None = None
    """The part that the plan is of a run on several machines."""


class Runner:
    """One run. `events` yields until the run is over; `stop` ends it after the cases that run now."""

    def __init__(self, plan: Plan, options: RunOptions, open_stack: Callable[[Callable[[str], None]], Stack]) -> None:
        self._plan, self._options = plan, options
        self._events: queue.SimpleQueue[Event | BaseException | None] = queue.SimpleQueue()
        self._stopping = threading.Event()
        # counts alone: the memory of a run must not grow with its cases, however often they are repeated
        self._outcomes: dict[str, Counter[str]] = defaultdict(Counter)
        self._spent = Durations()
        self._counting = threading.Lock()
        self._setup = 0.0
        self._session = Session(lambda: open_stack(self._progress), self._emit, options.case)
        self._agenda = Agenda(plan, self._session.shared)

    def stop(self) -> None:
        """Begin no further case."""
        self._stopping.set()

    def events(self) -> Iterator[Event]:
        """Run the plan and yield its events; the last is `RunFinished`."""
        started = time.monotonic()
        cases = sum(len(cases) for _, cases in self._plan)
        options = self._options
        criteria: dict[str, str] = {}
        for path, root in {scenario.path.parent: (scenario.path, scenario.root) for scenario, _ in self._plan}.values():
            criteria |= known_criteria(path, root)
        yield RunStarted(
            time.time(),
            options.folder.name,
            cases,
            len(self._plan),
            options.backend,
            options.why,
            options.folder,
            criteria,
            options.shard,
        )
        threading.Thread(target=_load, args=(_modules(self._plan),), name="loader", daemon=True).start()
        thread = threading.Thread(target=self._run, name="runner", daemon=True)
        thread.start()
        while (event := self._events.get()) is not None:
            if isinstance(event, BaseException):
                if isinstance(event, PeeklockError):
                    raise event
                # never as it is: a SystemExit would end the command with its own exit code
                raise self._unforeseen(event) from event
            if isinstance(event, StackReady):
                self._setup = event.seconds
            yield event
        thread.join()
        yield self._finished(time.monotonic() - started)

    def _unforeseen(self, error: BaseException) -> PeeklockError:
        """Return the error for what nobody foresaw; its traceback is kept in the run's folder."""
        traceback_file = self._options.folder / "unforeseen.txt"
        traceback_file.write_text(redact("".join(traceback.format_exception(error))), encoding="utf-8")
        return PeeklockError(
            f"the run was ended by an unforeseen {type(error).__name__}: {error}",
            checked=[f"its traceback is in {traceback_file}"],
            fix="this is a fault of Peeklock's: please report it, with that file",
        )

    def _emit(self, event: Event) -> None:
        self._events.put(event)

    def _progress(self, text: str) -> None:
        self._emit(Progress(time.time(), text))

    def _run(self) -> None:
        try:
            if not self._plan:  # a shard for which no file is left
                return
            self._session.stack()
            workers = max(1, self._options.workers)
            with named_limits(), ThreadPoolExecutor(workers, thread_name_prefix="file") as pool:
                for done in [pool.submit(self._files) for _ in range(workers)]:
                    done.result()
        except BaseException as error:  # noqa: BLE001 - handed to the thread that reads the events
            self._stopping.set()
            self._events.put(error)
        finally:
            self._end()

    def _end(self) -> None:
        try:
            self._session.close()
        except PeeklockError as error:
            self._progress(f"while ending: {error}")
        except BaseException as error:  # noqa: BLE001 - as above
            self._events.put(error)
        finally:
            self._events.put(None)

    def _files(self) -> None:
        while (file := self._agenda.take()) is not None:
            self._file(*file)

    def _file(self, scenario: Scenario, cases: list[Case]) -> None:
        try:
            for repetition in range(self._options.repeat):
                self._session.retry(scenario)
                for case in cases:
                    if self._stopping.is_set():
                        return
                    finished = replace(self._session.run(scenario, case), repeat=repetition)
                    with self._counting:
                        self._outcomes[case_id(scenario, case)][finished.outcome] += 1
                        self._spent += finished.durations
                    self._emit(finished)
                    if (following := self._agenda.following()) is not None:
                        self._session.prepare(*following)
                    if self._options.until_fail and finished.outcome in ("failed", "error"):
                        self._stopping.set()
        finally:
            self._session.finish(scenario)
            self._agenda.done(scenario)

    def _finished(self, seconds: float) -> RunFinished:
        every = sum(self._outcomes.values(), Counter[str]())
        flaky = tuple(name for name, seen in self._outcomes.items() if seen["passed"] and seen["failed"])
        failed = tuple(name for name, seen in self._outcomes.items() if seen["failed"] or seen["error"])
        return RunFinished(
            time.time(),
            self._options.folder.name,
            every["passed"],
            every["failed"],
            every["skipped"],
            every["error"],
            flaky,
            seconds,
            self._spent,
            self._setup,
            self._stopping.is_set() and not self._options.until_fail,
            sum(len(cases) for _, cases in self._plan) - len(self._outcomes),
            failed,
        )


def _modules(plan: Plan) -> list[str]:
    """Return what the verbs of a plan load."""

    def of(steps: Iterable[Step]) -> Iterator[str]:
        for step in steps:
            yield from step.verb.loads if isinstance(step.verb, Verb) else ()
            yield from of(step.steps)

    every = (
        step for scenario, cases in plan for step in (*scenario.background, *(s for case in cases for s in case.steps))
    )
    return list(dict.fromkeys(of(every)))


def _load(modules: list[str]) -> None:
    for module in modules:
        # a module that is not there is told by the step that needs it
        with contextlib.suppress(ImportError):
            importlib.import_module(module)
