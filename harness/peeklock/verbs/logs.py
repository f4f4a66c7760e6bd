"""`logs: {service: worker, where: {event: …}}` — what services have logged during the case."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from peeklock.engine.context import CaseContext
from peeklock.engine.failure import VerbFailed
from peeklock.engine.verb import Found, Verb
from peeklock.redaction import Redactor
from peeklock.scenario.fields import Model
from peeklock.scenario.matchers import Context as MatchContext
from peeklock.scenario.vocabulary import Complaint, Facts, undeclared
from peeklock.telemetry import service_of
from peeklock.verbs.spans import asked
from peeklock.verbs.where import check_where, compile_where


class LogsArguments(Model):
    """Which lines: of one service or of all, that a matcher takes or that contain a text."""

    service: str | None = None
    where: dict[str, Any] = Field(
        {}, description="matchers for the keys of a JSON line, and for service, replica, text"
    )
    contains: str | None = None
    exported: bool = Field(
        False, description="true: the log records and exceptions that came by OpenTelemetry or Application Insights"
    )


def run(arguments: LogsArguments, context: CaseContext) -> Found:
    """Return the lines, each as its JSON keys with `service`, `replica` and `text` besides, or what was exported.

    Raises `VerbFailed` for a text that is a secret: lines are masked before they are kept, so none could ever match.
    """
    masked = Redactor(_masked(context))
    for key, wanted in (("contains", arguments.contains or ""), ("where", str(arguments.where))):
        if masked(wanted) != wanted:
            raise VerbFailed(
                'what is looked for holds a secret, and no line does: "***" is kept in its place',
                path=(key,),
                notes=('fix       look for "***", or for the words around it',),
            )
    matcher = compile_where(arguments.where)
    found = [
        view
        for view in (_exported(context) if arguments.exported else _written(context))
        if arguments.service in (None, view["service"]) and (arguments.contains or "") in view["text"]
    ]
    matching = MatchContext(folder=context.folder)
    hits = [line for line in found if not matcher.match(line, matching, "")]
    nearest = f"{len(found)} other lines" if found and not hits else ""
    return Found(hits, nearest=nearest)


def _written(context: CaseContext) -> list[dict[str, Any]]:
    lines, _ = context.environment.services.logs(context.log_cursor)
    return [
        {**(line.record or {}), "service": line.service, "replica": line.replica, "text": line.text} for line in lines
    ]


def _exported(context: CaseContext) -> list[dict[str, Any]]:
    telemetry = context.environment.telemetry
    if telemetry is None:
        raise VerbFailed("the file asks for no telemetry: write `telemetry: true` in its `stack`")
    mask = Redactor(context.secrets)
    views = [
        {
            "service": service_of(record.service),
            "level": record.level,
            "text": mask(record.text),
            "trace_id": record.trace_id or None,
            "span_id": record.span_id or None,
            "attributes": dict(record.attributes),
        }
        for record in telemetry.logs()
    ]
    return [{key: value for key, value in view.items() if value is not None} for view in views]


def _masked(context: CaseContext) -> set[str]:
    """Return the secrets that were known when services were started; later ones, as captured ones, stand in lines as they are."""
    visible = context.names.file_scope().names
    return {str(visible[name]) for name in context.scenario.header.secrets if name in visible} - {""}


def _check(raw: Any, facts: Facts) -> list[Complaint]:
    complaints = asked(facts) if raw.get("exported") else []
    complaints += undeclared("service", raw["service"], facts.services, ("service",)) if raw.get("service") else []
    return complaints + check_where(raw)


VERB = Verb(
    "logs",
    LogsArguments,
    "what services have logged",
    observes=lambda _: True,
    shape="collection",
    check=_check,
    run=run,
)
