"""Which file comes next, of those that have not begun."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

from peeklock.engine.plan import Plan
from peeklock.scenario.model import Case, Scenario


class Agenda:
    """The files of a plan, for workers that take one after the other. Thread-safe.

    They come in the order of the plan, but for those that could use what another file is using now: these wait, as long as there
    are others, since services that are handed on need not be started again.
    """

    def __init__(self, plan: Plan, environment_of: Callable[[Scenario], str | None]) -> None:
        """`environment_of`: files of which it says the same hand their environment on; None: to nobody."""
        self._todo = list(plan)
        self._environment_of = environment_of
        self._used: Counter[str] = Counter()
        self._lock = threading.Lock()

    def take(self) -> tuple[Scenario, list[Case]] | None:
        """Return the file that is to begin now, or None when all have. `done` must be told of its end."""
        with self._lock:
            if not self._todo:
                return None
            file = self._todo.pop(self._next())
            if (environment := self._environment_of(file[0])) is not None:
                self._used[environment] += 1
            return file

    def done(self, scenario: Scenario) -> None:
        """Hear that a file that was taken has come to its end."""
        with self._lock:
            if (environment := self._environment_of(scenario)) is not None:
                self._used[environment] -= 1

    def following(self) -> tuple[Scenario, list[Case]] | None:
        """Return the file that would begin next."""
        with self._lock:
            return self._todo[self._next()] if self._todo else None

    def _next(self) -> int:
        for place, (scenario, _) in enumerate(self._todo):
            environment = self._environment_of(scenario)
            if environment is None or not self._used[environment]:
                return place
        return 0
