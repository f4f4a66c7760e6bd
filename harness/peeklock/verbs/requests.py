"""`requests: {to: openai, where: {…}}` — what a stand-in was asked, from its journal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from peeklock.engine.context import CaseContext
from peeklock.engine.failure import VerbFailed
from peeklock.engine.verb import Found, Verb
from peeklock.scenario.errors import suggestion
from peeklock.scenario.fields import Model
from peeklock.scenario.matchers import Context as MatchContext
from peeklock.scenario.matchers import Mismatch, show
from peeklock.scenario.standins import BLOB_KEYS, JOURNAL_KEYS, http_keys
from peeklock.scenario.vocabulary import Complaint, Facts, undeclared
from peeklock.verbs.where import check_where, compile_where


class RequestsArguments(Model):
    """Which requests: those to a stand-in that a matcher takes."""

    to: str = Field(description="openai, an HTTP stand-in of the file, or blobs")
    where: dict[str, Any] = Field(
        {}, description="matchers; keys as in the result: deployment, text, path, body, status …"
    )


def run(arguments: RequestsArguments, context: CaseContext) -> Found:
    """Return the requests of this case that match, in the order in which they were answered."""
    standins = context.environment.standins
    if arguments.to not in standins:
        known = ", ".join(standins) or "the file has none"
        raise VerbFailed(f"there is no stand-in {arguments.to!r}: {known}", path=("to",))
    views = [entry.view for entry in standins[arguments.to].journal.entries()]
    matcher = compile_where(arguments.where)
    matching = MatchContext(folder=context.folder)
    judged = [(view, matcher.match(view, matching, "")) for view in views]
    hits = [dict(view) for view, mismatches in judged if not mismatches]
    return Found(hits, nearest=_nearest(judged) if not hits else "")


def _nearest(judged: list[tuple[Mapping[str, Any], list[Mismatch]]]) -> str:
    """Tell of the request with the fewest mismatches what keeps it from being a hit."""
    if not judged:
        return "no request came at all"
    view, mismatches = min(judged, key=lambda one: len(one[1]))
    wrong = "; ".join(f"{found.path} is {found.actual}, not {found.expected}" for found in mismatches[:3])
    return f"{len(judged)} others; {show(view.get('text', view['path']))}: {wrong}"


def _check(raw: Any, facts: Facts) -> list[Complaint]:
    to, where = raw.get("to"), raw.get("where")
    keys: dict[Any, tuple[str, ...]] = {name: http_keys(each) for name, each in facts.stack.http.items()}
    keys |= {"openai": JOURNAL_KEYS} if facts.stack.openai is not None else {}
    keys |= {"blobs": BLOB_KEYS} if facts.stack.has_blob_door else {}
    if to == "blobs" and to not in keys:
        text = "only requests that come through the blob door are known, and there is none"
        return [Complaint(("to",), text, fix="give `stack.blobs` a `name`"), *check_where(raw)]
    if to not in keys:
        return undeclared("stand-in", to, keys, ("to",)) + check_where(raw)
    known = keys[to]
    complaints: list[Complaint] = []
    if isinstance(where, dict):
        complaints = [
            Complaint(
                ("where", key),
                f'a request has no "{key}"',
                "one of " + ", ".join(known),
                suggestion(key, known) or ("" if to == "blobs" else "write body: {…} for a part of the body"),
            )
            for key in where
            if not key.startswith("$") and key.removesuffix("?") not in known
        ]
        deployment = where.get("deployment") if to == "openai" else None
        if facts.stack.openai is not None and isinstance(deployment, str) and not deployment.startswith("$"):
            complaints += undeclared("deployment", deployment, facts.stack.openai.deployments, ("where", "deployment"))
    return complaints + check_where(raw)


VERB = Verb(
    "requests",
    RequestsArguments,
    "what a stand-in, or the blob door, was asked",
    observes=lambda _: True,
    shape="collection",
    check=_check,
    run=run,
)
