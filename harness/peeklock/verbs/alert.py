"""`alert: dlq_spike` — whether a rule of the file's `alerts` has fired during the case, and when."""

from __future__ import annotations

from typing import Any

from peeklock.engine.alerting import judge
from peeklock.engine.context import CaseContext
from peeklock.engine.ledger import iso
from peeklock.engine.verb import Found, Verb
from peeklock.scenario.fields import Model
from peeklock.scenario.vocabulary import Complaint, Facts, undeclared


class AlertArguments(Model):
    """One rule of the file's `alerts`."""

    name: str


def run(arguments: AlertArguments, context: CaseContext) -> Found:
    """Return `{name, state, fired_at, resolved_at, why, dimensions, alerts}` of the alert that fired last.

    `state` is `Fired`, `Resolved`, or `None` while none has fired; then there is nothing else. `alerts` lists every one.
    """
    judged = judge(context, arguments.name)
    views = [
        {
            "state": alert.state,
            "fired_at": iso(alert.fired_at),
            "resolved_at": None if alert.resolved_at is None else iso(alert.resolved_at),
            "why": alert.why,
            "dimensions": dict(alert.dimensions),
        }
        for alert in judged.alerts
    ]
    newest: dict[str, Any] = views[-1] if views else {"state": "None"}
    return Found({"name": arguments.name, **newest, "alerts": views}, nearest="" if views else judged.nearest)


def _check(raw: Any, facts: Facts) -> list[Complaint]:
    return [] if facts.alerts is None else undeclared("alert rule", raw.get("name"), facts.alerts, ("name",))


VERB = Verb(
    "alert",
    AlertArguments,
    "whether an alert rule has fired, and when",
    observes=lambda _: True,
    shorthand=lambda raw: {"name": raw} if isinstance(raw, str) else raw,
    check=_check,
    requires=("clock",),
    run=run,
)
