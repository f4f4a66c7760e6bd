"""`scale: worker` — how many replicas a service has had, as its rule had them started and ended."""

from __future__ import annotations

from typing import Any

from peeklock.engine.context import CaseContext
from peeklock.engine.verb import Found, Verb
from peeklock.scenario.fields import Model
from peeklock.scenario.vocabulary import Complaint, Facts, undeclared


class ScaleArguments(Model):
    """One service with a `scale` rule."""

    service: str


def run(arguments: ScaleArguments, context: CaseContext) -> Found:
    """Return `{service, replicas, running, steps, history}`: what the rule wants, how many processes there are, the numbers one
    after the other, and each change with its moment (seconds from the case's begin, by its clock) and reason; of a job also
    `begun`, how many executions there were, each in `executions` with its `status`, and `next_due` of its schedule."""
    return Found(context.scaler.facts(arguments.service))


def _check(raw: Any, facts: Facts) -> list[Complaint]:
    name = raw.get("service")
    found = undeclared("service", name, facts.services, ("service",))
    if not found and isinstance(name, str) and name in facts.services and name not in facts.scaled:
        return [Complaint(("service",), f"{name} has no rule", expected="a service with `scale`")]
    return found


VERB = Verb(
    "scale",
    ScaleArguments,
    "how many replicas a service has had",
    observes=lambda _: True,
    shorthand=lambda raw: {"service": raw} if isinstance(raw, str) else raw,
    check=_check,
    run=run,
    requires=("exact_ledger",),
)
