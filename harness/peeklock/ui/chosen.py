"""What the page looks into: a namespace by its connection string, or an environment of a project, which may come and go."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from peeklock.errors import PeeklockError
from peeklock.scenario.files import is_scenario_file
from peeklock.stack.warm.standing import Standing, standing
from peeklock.ui.namespace import Namespace


class Chosen:
    """One namespace, and the environment around it where it belongs to a project. Thread-safe."""

    def __init__(
        self, root: Path | None, scenarios: Path | None = None, connection_string: str = "", name: str = ""
    ) -> None:
        """`root`: of the project, None without one, and `scenarios` the folder of its scenario files; `name`: of an
        environment, absent: the only one, or the first.

        Raises `PeeklockError` for what is no connection string of an emulator.
        """
        self.root, self.scenarios, self._name = root, scenarios, name
        self._lock = threading.Lock()
        self._connection_string = connection_string
        self._namespace = Namespace(connection_string) if connection_string else None

    def close(self) -> None:
        """Hang up."""
        with self._lock:
            if self._namespace is not None:
                self._namespace.close()

    def standing(self) -> Standing:
        """Return the environment as it stands now. Raises `PeeklockError` when there is none."""
        if self.root is None:
            raise PeeklockError(
                "a namespace alone has no environment around it",
                expected="an environment that a run has left on the warm stack",
                fix="`peeklock up` in the folder of a project, then `peeklock ui` without a connection string",
            )
        every = _kept_first(standing(self.root))
        found = next((each for each in every if self._name in ("", each.name)), None)
        if found is None:  # handed on to a file with the same stack and services, it has that one's name
            bus = self._connection_string
            found = next((each for each in every if bus and bus == each.servicebus_connection_string), None)
        if found is None:
            raise PeeklockError(
                f"the environment {self._name} does not stand" if self._name else "no environment stands",
                expected=f"one of {', '.join(dict.fromkeys(each.name for each in every))}" if every else "",
                fix="run one of its cases while the warm stack is up (`peeklock up`), or with --keep",
            )
        return found

    def names(self) -> list[str]:
        """Return the environments that there are to choose from."""
        return [] if self.root is None else sorted({each.name for each in standing(self.root)})

    @property
    def name(self) -> str:
        """Of the environment; empty where there is none."""
        try:
            return self.standing().name
        except PeeklockError:
            return ""

    def choose(self, name: str) -> None:
        """Look into another environment from now on. Raises `PeeklockError` when it does not stand."""
        if name not in self.names():
            raise PeeklockError(f"the environment {name} does not stand", expected=f"one of {', '.join(self.names())}")
        self._name = name

    def namespace(self) -> Namespace:
        """Return the namespace; that of the environment is found anew when it has changed. Raises `PeeklockError`."""
        if self.root is None:
            assert self._namespace is not None
            return self._namespace
        found = self.standing()
        if found.servicebus_connection_string is None:
            raise PeeklockError(f"the environment {found.name} has no Service Bus", fix="choose another one")
        with self._lock:
            if found.servicebus_connection_string != self._connection_string or self._namespace is None:
                if self._namespace is not None:
                    self._namespace.close()
                self._namespace = Namespace(found.servicebus_connection_string)
                self._connection_string = found.servicebus_connection_string
            return self._namespace

    def file(self) -> Path | None:
        """Return the scenario file of the environment; None where there is not exactly one of its name."""
        if self.scenarios is None or not (name := self.name):
            return None
        found = [path for path in self.scenarios.rglob(f"{name}.yaml") if is_scenario_file(path)]
        return found[0] if len(found) == 1 else None

    def told(self) -> dict[str, Any]:
        """Return what the page's head shows."""
        return {"environment": self.name, "environments": self.names(), "project": self.root is not None}


def _kept_first(every: list[Standing]) -> list[Standing]:
    """Return them by name; of those with one name the kept one first."""
    return sorted(every, key=lambda each: (each.name, not each.kept))
