"""What the loads of a case came to, in lines of text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from peeklock.engine.events import CaseFinished


def load_lines(finished: CaseFinished) -> list[str]:
    """Return a line for each load of a case, and one for each of its acts where there are several."""
    steps = finished.record.steps if finished.record is not None else ()
    lines: list[str] = []
    for step in steps:
        if step.verb == "load" and step.shown is not None:
            lines.append(_line(step.name, step.shown))
            if len(step.shown["acts"]) > 1:
                lines += [f"  {_line(name, figures)}" for name, figures in step.shown["acts"].items()]
    return lines


def _line(name: str, figures: Mapping[str, Any]) -> str:
    counted = f"{figures['requests']} requests at {figures['rate']:g}/s, {figures['failures']} failed"
    taken = ", ".join(f"{each} {figures[each] * 1000:.0f} ms" for each in ("p50", "p95", "p99", "max"))
    return f"{name}: {counted}; {taken}"
