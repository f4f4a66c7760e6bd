"""The path of one item: the queues, calls and blobs of a case in which its id stands, in order of time."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from peeklock.engine.context import CaseContext
from peeklock.engine.failure import Moment
from peeklock.engine.ledger import OPEN, Message, body_of
from peeklock.engine.timeline import timeline
from peeklock.servicebus.paths import DEAD_LETTER_SUFFIX
from peeklock.standins import Entry as Request

BLOBS = "blobs"
"""The name under which the blob door keeps its journal."""
_TEST = "test"
"""Whoever is no service of the file."""
_NO_STAGE = frozenset({"dropped_as_duplicate", "cancelled"})
_ANSWERS = frozenset({"answer", "error", "contract"})
"""What a journal tells of the answer: an id there is not one that was asked about."""


@dataclass(frozen=True)
class Stage:
    """One thing that the item went through. `view` has `queue`, `call` or `blob`, and what else there is to tell."""

    at: float
    """Unix seconds, by the machine's clock."""
    view: Mapping[str, Any]

    @property
    def in_flight(self) -> bool:
        """Whether something is still to happen to it by itself."""
        return self.view.get("outcome") in OPEN


@dataclass(frozen=True)
class ItemPath:
    """What a case knows of one item."""

    stages: tuple[Stage, ...]
    passed_over: tuple[str, ...]
    """What has the id and is no stage: duplicates that were dropped, requests that were refused."""
    story: tuple[Moment, ...]
    """Everything that happened to it: in the queues, to the stand-ins, in the log."""


def item_path(item: str, context: CaseContext) -> ItemPath:
    """Return the path of an item, whose id is found wherever it stands as a word of its own."""
    context.ledger.refresh()
    word = re.compile(rf"(?<![A-Za-z0-9]){re.escape(item)}(?![A-Za-z0-9])")
    messages = [message for message in context.ledger.all() if _holds(word, _said(message))]
    asked = [
        (name, request)
        for name, standin in context.environment.standins.items()
        for request in standin.journal.entries()
        if _holds(word, {key: value for key, value in request.view.items() if key not in _ANSWERS})
    ]
    real = context.environment.clock.real
    stages = [Stage(real(m.enqueued_at), _of_message(m)) for m in messages if _is_stage(m)]
    stages += [Stage(each.at, view) for name, each in asked if (view := _of_request(name, each))]
    duplicates = [f"{m.queue} dropped {m.facts.get('message_id')}" for m in messages if m.outcome in _NO_STAGE]
    refused = [f"{name} {each.summary}" for name, each in asked if int(each.view.get("status") or 0) >= 400]
    return ItemPath(
        tuple(sorted(stages, key=lambda stage: stage.at)),
        (*duplicates, *refused),
        tuple(_story(word, messages, asked, context)),
    )


def _said(message: Message) -> dict[str, Any]:
    facts = {key: value for key, value in message.facts.items() if not key.startswith("body")}
    return {**facts, "body": body_of(message.facts)}


def _holds(word: re.Pattern[str], value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(_holds(word, inner) for inner in value.values())
    if isinstance(value, list | tuple):
        return any(_holds(word, inner) for inner in value)
    return value is not None and not isinstance(value, bool) and word.search(str(value)) is not None


def _is_stage(message: Message) -> bool:
    return message.outcome not in _NO_STAGE and not message.queue.endswith(DEAD_LETTER_SUFFIX)


def _of_message(message: Message) -> dict[str, Any]:
    receivers = list(dict.fromkeys(name.partition(".")[0] for name in message.receivers))
    return {
        "queue": message.queue,
        "from": message.sender or _TEST,
        **({"to": receivers[0] if len(receivers) == 1 else receivers} if receivers else {}),
        "outcome": message.outcome,
        "deliveries": message.deliveries,
        "message_id": message.facts.get("message_id"),
    }


def _of_request(name: str, request: Request) -> dict[str, Any] | None:
    view = request.view
    status, caller = int(view.get("status") or 0), view.get("caller")
    if not 200 <= status < 400:
        return None
    known = {"from": caller} if caller else {}
    if name != BLOBS:
        keys = ("method", "path", "deployment", "status")
        return {"call": name, **known, **{key: view[key] for key in keys if key in view}}
    # what reads, and the parts of what is not yet a blob, are no stages
    if view.get("method") != "PUT" or view.get("operation", "") not in ("", "blocklist") or not view.get("blob"):
        return None
    return {"blob": view["path"], **known, "status": status}


def _story(
    word: re.Pattern[str], messages: list[Message], asked: list[tuple[str, Request]], context: CaseContext
) -> Iterator[Moment]:
    about = {(message.queue, message.sequence or 0) for message in messages}
    dropped = {str(message.facts.get("message_id")) for message in messages if not message.sequence}
    real = context.environment.clock.real
    entries = [
        replace(entry, at=real(entry.at))
        for entry in context.ledger.entries
        if (told := entry.message) is not None
        and (
            (entry.entity, told.sequence) in about
            if told.sequence
            else told.message_id in dropped and (entry.entity, 0) in about
        )
    ]
    lines, _ = context.environment.services.logs(context.log_cursor)
    moments = [Moment(each.at, name, each.summary, bool(each.problem)) for name, each in asked]
    yield from timeline(moments, entries, [line for line in lines if word.search(line.text)], [])
