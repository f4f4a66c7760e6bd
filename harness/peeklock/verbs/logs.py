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
from peeklock.verbs.where import check_where, compile_where


class LogsArguments(Model):
    """Which lines: of one service or of all, that a matcher takes or that contain a text."""

    service: str | None = None
    where: dict[str, Any] = Field(
        {}, description="matchers for the keys of a JSON line, and for service, replica, text"
    )
    contains: str | None = None


def run(arguments: LogsArguments, context: CaseContext) -> Found:
    """Return the lines, each as its JSON keys with `service`, `replica` and `text` besides.

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
    lines, _ = context.environment.services.logs(context.log_cursor)
    matcher = compile_where(arguments.where)
    found = [
        {**(line.record or {}), "service": line.service, "replica": line.replica, "text": line.text}
        for line in lines
        if arguments.service in (None, line.service) and (arguments.contains or "") in line.text
    ]
    matching = MatchContext(folder=context.folder)
    hits = [line for line in found if not matcher.match(line, matching, "")]
    nearest = f"{len(found)} other lines" if found and not hits else ""
    return Found(hits, nearest=nearest)


def _masked(context: CaseContext) -> set[str]:
    """Return the secrets that were known when services were started; later ones, as captured ones, stand in lines as they are."""
    visible = context.names.file_scope().names
    return {str(visible[name]) for name in context.scenario.header.secrets if name in visible} - {""}


def _check(raw: Any, facts: Facts) -> list[Complaint]:
    complaints = undeclared("service", raw["service"], facts.services, ("service",)) if raw.get("service") else []
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
