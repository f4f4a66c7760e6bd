"""`wait: 2s` — let time pass: where a person means time, and no event tells what to wait for."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from peeklock.engine.context import CaseContext
from peeklock.engine.verb import Found, Verb
from peeklock.engine.waiting import pause
from peeklock.scenario.durations import Duration
from peeklock.scenario.fields import Model


class WaitArguments(Model):
    """How long, by the machine's clock: `clock: {advance: …}` moves that of the case, and takes no time."""

    duration: Duration = Field(alias="for", gt=0)


def run(arguments: WaitArguments, context: CaseContext) -> Found:
    """Return when the time is over, or that of the case."""
    context.note("test", f"waits {arguments.duration:g} s")
    context.spent.waiting += pause(context.deadline.sooner(arguments.duration))
    return Found({})


def _short(raw: Any) -> Any:
    return {"for": raw} if isinstance(raw, str) else raw


VERB = Verb("wait", WaitArguments, "let time pass", shape="nothing", shorthand=_short, run=run)
