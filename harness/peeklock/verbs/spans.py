"""`spans: {service: worker, name: handle, where: {…}}` — what services have traced during the case."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import Field

from peeklock.engine.context import CaseContext
from peeklock.engine.failure import VerbFailed
from peeklock.engine.ledger import iso
from peeklock.engine.verb import Found, Verb
from peeklock.scenario.errors import suggestion
from peeklock.scenario.fields import Model
from peeklock.scenario.matchers import Context as MatchContext
from peeklock.scenario.matchers import Mismatch, show
from peeklock.scenario.vocabulary import Complaint, Facts, undeclared
from peeklock.telemetry import Span
from peeklock.verbs.where import check_where, compile_where

KEYS = (
    "attributes", "duration", "end", "events", "kind", "links", "logs", "messages", "name", "parent_span_id", "requests", "service",
    "span_id", "start", "status", "status_message", "trace_id",
)  # fmt: skip
"""The keys that a span may have."""
_LENGTH = 32
_TRACE_ID = re.compile(f"[0-9a-f]{{{_LENGTH}}}")


class SpansArguments(Model):
    """Which spans: those of one service or of all, of one name or of any, that a matcher takes."""

    service: str | None = None
    name: str | None = Field(None, description="the whole name; for a part of it write where: {name: {$contains: …}}")
    where: dict[str, Any] = Field(
        {}, description="matchers; keys as in the result: kind, status, attributes, trace_id …"
    )


def run(arguments: SpansArguments, context: CaseContext) -> Found:
    """Return the spans of this case that match, in the order of their beginnings."""
    telemetry = context.environment.telemetry
    if telemetry is None:
        raise VerbFailed("the file asks for no telemetry: write `telemetry: true` in its `stack`")
    spans = telemetry.spans()
    joined = {"messages": _messages(context), "requests": _requests(context), "logs": _logs(context)}
    views = [_view(span, joined) for span in spans if _is_meant(span, arguments)]
    matcher = compile_where(arguments.where)
    matching = MatchContext(folder=context.folder)
    judged = [(view, matcher.match(view, matching, "")) for view in views]
    hits = [view for view, mismatches in judged if not mismatches]
    return Found(hits, nearest=_nearest(judged, spans, telemetry.refused) if not hits else "")


def _is_meant(span: Span, arguments: SpansArguments) -> bool:
    if arguments.name not in (None, span.name):
        return False
    return arguments.service in (None, span.service, span.service.rpartition(".")[0])


def _messages(context: CaseContext) -> dict[str, list[str]]:
    """Return the ids of messages by the trace that they carry."""
    context.ledger.refresh()
    found: dict[str, dict[str, None]] = {}
    for message in context.ledger.all():
        if message.trace_id is not None:
            found.setdefault(message.trace_id, {})[str(message.facts.get("message_id"))] = None
    return {trace: list(ids) for trace, ids in found.items()}


def _requests(context: CaseContext) -> dict[str, list[str]]:
    """Return the requests to stand-ins, in words, by the trace that they carry."""
    found: dict[str, list[str]] = {}
    for name, standin in context.environment.standins.items():
        for entry in standin.journal.entries():
            if trace := entry.view.get("trace_id"):
                found.setdefault(trace, []).append(f"{name}: {entry.summary}")
    return found


def _logs(context: CaseContext) -> dict[str, list[str]]:
    """Return the lines of services by the trace whose id one of their keys holds."""
    lines, _ = context.environment.services.logs(context.log_cursor)
    found: dict[str, list[str]] = {}
    for line in lines:
        values = (value for value in (line.record or {}).values() if isinstance(value, str) and len(value) == _LENGTH)
        ids = {value for value in values if _TRACE_ID.fullmatch(value)}
        for trace in ids:
            found.setdefault(trace, []).append(line.text)
    return found


def _view(span: Span, joined: Mapping[str, Mapping[str, list[str]]]) -> dict[str, Any]:
    """Return what is shown of a span; keys without a value are absent. `joined`: by key and trace, what belongs to it."""
    traces = dict.fromkeys((span.trace_id, *(link.trace_id for link in span.links)))
    shown = {
        "service": span.service,
        "name": span.name,
        "kind": span.kind,
        "trace_id": span.trace_id,
        "span_id": span.span_id,
        "parent_span_id": span.parent_span_id or None,
        "links": [{"trace_id": link.trace_id, "span_id": link.span_id} for link in span.links],
        "start": iso(span.start),
        "end": iso(span.end),
        "duration": round(span.end - span.start, 6),
        "status": span.status,
        "status_message": span.status_message or None,
        "attributes": dict(span.attributes),
        "events": [{"name": each["name"], "attributes": dict(each["attributes"])} for each in span.events],
        **{key: [each for trace in traces for each in of.get(trace, ())] for key, of in joined.items()},
    }
    return {key: value for key, value in shown.items() if value is not None}


def _nearest(judged: list[tuple[dict[str, Any], list[Mismatch]]], spans: Iterable[Span], refused: list[str]) -> str:
    """Tell of the span with the fewest mismatches what keeps it from being a hit, or which spans there are."""
    notes = [f"refused: {reason}" for reason in refused]
    if judged:
        view, mismatches = min(judged, key=lambda one: len(one[1]))
        wrong = "; ".join(f"{found.path} is {found.actual}, not {found.expected}" for found in mismatches[:3])
        return "; ".join([f"{len(judged)} others; {show(view['name'])}: {wrong}", *notes])
    names = dict.fromkeys(f"{span.service}: {span.name}" for span in spans)
    if not names:
        return "; ".join(["no span came at all", *notes])
    return "; ".join([f"spans came of other names: {', '.join(list(names)[:8])}", *notes])


def _check(raw: Any, facts: Facts) -> list[Complaint]:
    complaints = asked(facts)
    if raw.get("service"):
        complaints += undeclared("service", raw["service"], facts.services | facts.processes, ("service",))
    where = raw.get("where")
    for key in where if isinstance(where, dict) else ():
        if not key.startswith("$") and key.removesuffix("?") not in KEYS:
            fix = suggestion(key, KEYS) or f"write attributes: {{{key}: …}} for an attribute"
            complaints.append(Complaint(("where", key), f'a span has no "{key}"', "one of " + ", ".join(KEYS), fix))
    return complaints + check_where(raw)


def asked(facts: Facts) -> list[Complaint]:
    """Return the complaint of a file that looks at telemetry and asks for none."""
    if facts.stack.telemetry is not None:
        return []
    return [Complaint((), "the file asks for no telemetry", fix="write `telemetry: true` in its `stack`")]


VERB = Verb(
    "spans",
    SpansArguments,
    "what services have traced",
    observes=lambda _: True,
    shape="collection",
    check=_check,
    run=run,
    requires=("exact_ledger",),
)
