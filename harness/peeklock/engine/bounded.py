"""The last line of the deadline: whatever a step does, the case goes on when its time is over."""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

T = TypeVar("T")

GRACE = 2.0
"""Seconds in which a verb that watches its own deadline has said so before it is given up."""


class Call(Generic[T]):
    """One call in a thread of its own."""

    def __init__(self, act: Callable[[], T]) -> None:
        self._act = act
        self._value: T
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="step", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._value = self._act()
        except BaseException as error:  # noqa: BLE001  it belongs to whoever waits for the result
            self._error = error

    def ended(self, seconds: float) -> bool:
        """Return whether it has come to its end, within `seconds`."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def result(self) -> T:
        """Return what the call returned, or raise what it raised, when it has ended."""
        if self._error is not None:
            raise self._error
        return self._value

    def where(self) -> str:
        """Return the line at which it is now, as `file.py:12 in function`; empty when it has ended."""
        frame = sys._current_frames().get(self._thread.ident or 0)  # noqa: SLF001  there is no other way
        if frame is None:
            return ""
        last = traceback.extract_stack(frame)[-1]
        return f"{Path(last.filename).name}:{last.lineno} in {last.name}"
