"""`path: {id: "${item}", through: […]}` — the way of one item through queues, services, calls and blobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field, model_validator

from peeklock.engine.context import CaseContext
from peeklock.engine.failure import VerbFailed
from peeklock.engine.item_path import ItemPath, item_path
from peeklock.engine.ledger import OUTCOMES, iso
from peeklock.engine.stage_table import KINDS, Row, compare, render, stage_text
from peeklock.engine.verb import Found, Verb
from peeklock.scenario.errors import suggestion
from peeklock.scenario.fields import Model
from peeklock.scenario.matchers import Context as MatchContext
from peeklock.scenario.matchers import MatcherInvalid, compile_matcher
from peeklock.scenario.values import is_template
from peeklock.scenario.vocabulary import Complaint, Facts, undeclared


class StageExpected(Model):
    """One stage, by matchers: a `queue`, a `call` of a stand-in, or a `blob` that was written."""

    queue: str | None = Field(None, description="a queue, a topic, or topic/Subscriptions/name")
    call: str | None = Field(None, description="a stand-in that was asked, and did not refuse")
    blob: Any = Field(None, description="container/name, of a blob that was put")
    from_: Any = Field(None, alias="from", description="the service that sent, called or put; test: nobody of the file")
    to: Any = Field(None, description="of a queue: the service that had it, alone, and completed it")
    outcome: Any = Field(None, description="of a queue, as in `messages`; completed, where `to` is said")
    deliveries: Any = None
    method: Any = None
    path: Any = None
    deployment: Any = None
    status: Any = None

    @model_validator(mode="after")
    def _one_kind(self) -> StageExpected:
        kinds = [key for key in KINDS if getattr(self, key) is not None]
        if len(kinds) != 1:
            raise ValueError("a stage is one of queue, call or blob")
        known = _KEYS[kinds[0]]
        for name in self.model_fields_set:
            key = name.rstrip("_")
            if key not in known:
                raise ValueError(f'a {kinds[0]} has no "{key}": it has ' + ", ".join(known))
        return self


_KEYS = {
    "queue": ("queue", "from", "to", "outcome", "deliveries"),
    "call": ("call", "from", "method", "path", "deployment", "status"),
    "blob": ("blob", "from", "status"),
}


class PathArguments(Model):
    """Whose path, and what it has to be: these stages, in this order, each once, and no others."""

    id: str | int = Field(description="found where it stands as a word: in a message, a request, a blob's name")
    through: list[StageExpected] | None = None

    @model_validator(mode="after")
    def _some_id(self) -> PathArguments:
        if not str(self.id).strip():
            raise ValueError("the id is empty: it would be found everywhere")
        return self


def run(arguments: PathArguments, context: CaseContext) -> Found:
    """Return the stages of an item in order of time. Raises `VerbFailed` where they are not those of `through`."""
    item = str(arguments.id)
    found = item_path(item, context)
    views = [{**stage.view, "at": iso(stage.at)} for stage in found.stages]
    if arguments.through is not None:
        expected = [_expected(stage) for stage in arguments.through]
        try:
            rows = compare(expected, found.stages, MatchContext(folder=context.folder))
        except MatcherInvalid as error:
            raise VerbFailed(f"through: {error}", path=("through",)) from None
        if any(row.mark for row in rows):
            raise _parted(item, rows, found, context.started_at)
    return Found(views, nearest="" if views else f"nothing in this case holds {item!r}")


def _expected(stage: StageExpected) -> dict[str, Any]:
    said = {
        name.rstrip("_"): getattr(stage, name) for name in StageExpected.model_fields if name in stage.model_fields_set
    }
    return said | ({"outcome": "completed"} if "to" in said and "outcome" not in said else {})


def _parted(item: str, rows: Sequence[Row], found: ItemPath, started_at: float) -> VerbFailed:
    first = next(row for row in rows if row.mark)
    stage = first.expected if first.expected is not None else first.actual.view if first.actual else {}
    place = f"stage {first.number}" if first.number is not None else "a stage"
    notes = [*render(f"path of {item}", rows, started_at)]
    notes += [f"no stage: {text}" for text in found.passed_over[:5]]
    settled = not any(each.in_flight for each in found.stages)
    surplus = [row.mark for row in rows if row.mark in ("twice", "not expected", "out of order", "differs")]
    final = f"a stage is {surplus[0]}, and stays so".replace("is differs", "differs") if surplus and settled else ""
    told = "is in flight" if first.mark == "in flight" else "differs" if first.mark == "differs" else f"is {first.mark}"
    return VerbFailed(
        f"{item}: {place} {told}: {stage_text(stage)}", notes=tuple(notes), final=final, story=found.story
    )


def _check(raw: Any, facts: Facts) -> list[Complaint]:
    through = raw.get("through")
    if not isinstance(through, list):
        return []
    return [
        complaint for index, stage in enumerate(through) for complaint in _check_stage(stage, ("through", index), facts)
    ]


def _check_stage(stage: Mapping[str, Any], at: tuple[str | int, ...], facts: Facts) -> list[Complaint]:
    stack, complaints = facts.stack, []
    bus = stack.servicebus
    if "queue" in stage:
        declared = {**bus.receivable(), **bus.topics} if bus else {}
        complaints += undeclared("queue", stage["queue"], declared, (*at, "queue"))
    if "call" in stage:
        complaints += undeclared("stand-in", stage["call"], _standins(facts), (*at, "call"))
    if "blob" in stage:
        if not stack.has_blob_door:
            text = "only blobs that come through the blob door are known, and there is none"
            complaints.append(Complaint((*at, "blob"), text, fix="give `stack.blobs` a `name`"))
        elif (
            isinstance(stage["blob"], str) and not is_template(container := stage["blob"].split("/")[0]) and stack.blobs
        ):
            complaints += undeclared("container", container, stack.blobs.containers, (*at, "blob"))
    for key in ("from", "to"):
        name = stage.get(key)
        for one in name if isinstance(name, list) else [name]:
            if isinstance(one, str) and not one.startswith("$"):
                complaints += undeclared("service", one, {*facts.services, "test"}, (*at, key))
    outcome = stage.get("outcome")
    if isinstance(outcome, str) and outcome.isidentifier() and outcome not in OUTCOMES:
        expected = "one of " + ", ".join(sorted(OUTCOMES))
        text = f'a message never is "{outcome}"'
        complaints.append(Complaint((*at, "outcome"), text, expected, suggestion(outcome, OUTCOMES)))
    try:
        compile_matcher(dict(stage))
    except MatcherInvalid as error:
        complaints.append(Complaint((*at, *error.path), error.problem, error.expected, error.fix))
    return complaints


def _standins(facts: Facts) -> list[str]:
    return [*facts.stack.http, *(["openai"] if facts.stack.openai is not None else [])]


VERB = Verb(
    "path",
    PathArguments,
    "the way of one item through the system",
    observes=lambda _: True,
    judges=lambda raw: isinstance(raw, dict) and "through" in raw,
    shape="collection",
    check=_check,
    run=run,
    requires=("exact_ledger",),
)
