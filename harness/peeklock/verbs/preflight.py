"""`preflight:` — what the pre-flight check says of the file's services, as they are told or would be."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from peeklock.engine.context import CaseContext
from peeklock.engine.preflight import look
from peeklock.engine.verb import Found, Verb
from peeklock.scenario.fields import Model
from peeklock.scenario.vocabulary import Complaint, Facts, undeclared


class PreflightArguments(Model):
    """Nothing; or variables with which services are judged, though they do not have them."""

    env: dict[str, dict[str, str]] = Field(
        {}, description="by service: variables as if it was told them, as in {worker: {JOBS_QUEUE: jobz}}"
    )


def run(arguments: PreflightArguments, context: CaseContext) -> Found:
    """Return `{findings, names, checked, unchecked}`; a finding is `{name, what, where, expected, actual, fix}`."""
    report = look(context.scenario, context.environment, changes=arguments.env)
    context.note("preflight", ", ".join(each.name for each in report.findings) or "no fault")
    return Found(
        {
            "findings": [each.as_json() for each in report.findings],
            "names": [each.name for each in report.findings],
            "checked": list(report.checked),
            "unchecked": [each.text() for each in report.unchecked],
        }
    )


def _check(raw: Any, facts: Facts) -> list[Complaint]:
    env = raw.get("env")
    services = env if isinstance(env, dict) else {}
    return [each for name in services for each in undeclared("service", name, facts.services, ("env", name))]


VERB = Verb(
    "preflight",
    PreflightArguments,
    "what the pre-flight check says",
    observes=lambda _: True,
    shorthand=lambda raw: {} if raw is None else raw,
    check=_check,
    run=run,
)
