"""What goes on right now, below the lines that are finished, on a terminal that can be written over."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from peeklock.engine.events import (
    CaseFinished,
    CaseStarted,
    Event,
    Progress,
    RunFinished,
    RunStarted,
    StackReady,
    StepFinished,
    StepProgress,
    StepStarted,
)

_EVERY = 4
"""Times a second that it is drawn."""
_BAR = 24


@dataclass
class _Running:
    since: float
    step: str = ""
    step_since: float = 0.0
    waits: bool = False
    told: str = ""


class LiveArea:
    """Shows running cases with their steps, and how far the run is. A handler of events; `console` prints above it."""

    def __init__(
        self,
        console: Console,
        expected: Mapping[str, float],
        *,
        workers: int,
        repeat: int | None,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`expected`: seconds by case. `repeat`: how often each case is run; None for until one fails."""
        self._expected, self._workers, self._repeat, self._now = expected, workers, repeat, now
        self._preparing: tuple[str, float] | None = None
        self._running: dict[str, _Running] = {}
        self._done = 0
        self._left = sum(expected.values()) * (repeat or 1)
        self._live = Live(console=console, get_renderable=self.picture, refresh_per_second=_EVERY, transient=True)

    @staticmethod
    def suits(console: Console) -> bool:
        """Tell whether a console is a terminal that can be written over."""
        # rich takes FORCE_COLOR for a terminal: the log of a pipeline is none
        return console.file.isatty() and console.is_terminal and not console.is_dumb_terminal

    def __call__(self, event: Event) -> None:
        match event:
            case RunStarted():
                self._preparing = ("getting ready", event.at)
                self._live.start()
                self._live.console.show_cursor()  # else it would be gone for good when the run is killed
            case Progress():
                self._preparing = (event.text, event.at)
            case StackReady():
                self._preparing = None
            case CaseStarted():
                self._preparing = None
                self._running[event.case] = _Running(event.at)
            case StepStarted() if (running := self._running.get(event.case)) is not None:
                running.step, running.step_since, running.waits = event.name, event.at, event.waits
            case StepProgress() if (running := self._running.get(event.case)) is not None:
                running.told = event.text
            case StepFinished() if (running := self._running.get(event.case)) is not None:
                running.step = running.told = ""
            case CaseFinished():
                self._running.pop(event.case, None)
                self._done += 1
                self._left -= self._expected.get(event.case, 0.0)
            case RunFinished():
                self.close()

    def close(self) -> None:
        """Take it away, however the run ends."""
        self._live.stop()

    def picture(self) -> RenderableType:
        """Return what is shown now."""
        now = self._now()
        lines = []
        if self._preparing is not None:
            text, since = self._preparing
            lines.append(Text(f"  {text} … {now - since:.1f} s"))
        for case, running in list(self._running.items()):
            line = Text(f"  {case}  {now - running.since:.1f} s")
            if running.step:
                what = f"waiting for {running.step}" if running.waits else running.step
                line.append(f"  {what} {now - running.step_since:.1f} s", "dim")
            lines.append(line)
            if running.told:
                lines.append(Text(f"    {running.told}"))
        lines.append(self._bar())
        for line in lines:
            line.no_wrap, line.overflow = True, "ellipsis"
        return Group(*lines)

    def _bar(self) -> Text:
        if self._repeat is None:
            return Text(f"  {self._done} cases")
        total = max(len(self._expected) * self._repeat, self._done, 1)
        full = _BAR * self._done // total
        line = Text(f"  {'━' * full}{'─' * (_BAR - full)} {self._done} of {total}")
        if self._done < total and (left := max(0.0, self._left) / self._workers) >= 1:
            line.append(f", about {left:.0f} s left")
        return line
