"""What `${…}` finds while a case runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from peeklock.scenario.fake_values import FakeValues
from peeklock.scenario.values import Scope


class Names:
    """The names of one case. A fragment has names of its own while it runs."""

    def __init__(self, names: dict[str, Any], folder: Path, now: Callable[[], datetime], seed: str) -> None:
        """`folder` is that of the scenario file; `seed` makes the same invented values again in the next run."""
        self._names, self._folder, self._now, self._fakes = names, folder, now, FakeValues(seed)
        self._of_the_file: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        return self._names[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self._names[name] = value

    def define_file(self, variables: Mapping[str, Any]) -> None:
        """Add the file's `vars` and `secrets`, which its top level may use wherever a step stands."""
        self._names |= variables
        self._of_the_file = dict(self._names)

    def visible(self) -> dict[str, Any]:
        """Return every name that is defined now."""
        return dict(self._names)

    @contextmanager
    def inside(self, names: dict[str, Any]) -> Iterator[None]:
        """Let these names alone be defined meanwhile."""
        outer, self._names = self._names, names
        try:
            yield
        finally:
            self._names = outer

    def scope(self, folder: Path, extra: Mapping[str, Any] | None = None) -> Scope:
        """Return the names as a step in a file of `folder` sees them."""
        return Scope({**self._names, **(extra or {})}, folder, self._fakes, self._now)

    def file_scope(self) -> Scope:
        """Return the names as the top level of the scenario file sees them."""
        return Scope(self._of_the_file, self._folder, self._fakes, self._now)
