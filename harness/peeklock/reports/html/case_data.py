"""One case as the viewer reads it: JSON data, redacted, within bounds, times in milliseconds since the case began.

`viewer/src/model.ts` has the same shapes.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from peeklock.engine.clipping import clip, clipped_json
from peeklock.engine.events import CaseFinished
from peeklock.engine.failure import Failure, Moment
from peeklock.engine.ledger import SERVICE_RULE
from peeklock.engine.record import Record, ScaledService
from peeklock.redaction import Redactor
from peeklock.reports.html.contracts import Contracts
from peeklock.servicebus.ledger import AboutMessage, AboutSession, Entry, Principal
from peeklock.stack.backend import LogLine
from peeklock.telemetry import Span

MOST_ENTRIES = 20_000
MOST_LINES = 5_000
MOST_MOMENTS = 2_000
MOST_EXCHANGES = 2_000
MOST_SPANS = 2_000
MOST_TRANSACTIONS = 2_000
MOST_SPAN_EVENTS = 20
"""And links."""
LONGEST_BODY = 16 << 10
LONGEST_LINE = 4 << 10
LONGEST_SHOWN = 256 << 10
"""Of what the verb of a step shows."""
LONGEST_TEXT = 4 << 20
"""Characters of all bodies and lines of a case; where they are more, each is cut to `SHORT`."""
SHORT = 512
LONGEST_STORY = 256 << 20
"""Bytes of a story that is unpacked; what is longer was not written here."""

T = TypeVar("T")
Redact = Callable[[str], str]


def head_of(finished: CaseFinished) -> dict[str, Any]:
    """Return what the list of cases shows."""
    redact = Redactor(finished.record.secrets if finished.record is not None else ())
    file, _, name = finished.case.partition("::")
    spent = finished.durations
    return {
        "file": file,
        "name": redact(name),
        "outcome": finished.outcome,
        "at": round(finished.at, 3),
        "repeat": finished.repeat,
        "covers": list(finished.covers),
        "tags": list(finished.tags),
        "seconds": [round(each, 3) for each in (spent.setup, spent.waiting, spent.working)],
        "why": clip(_why(finished), 500, redact),
    }


def _why(finished: CaseFinished) -> str:
    failure = finished.failure
    if failure is None:
        return finished.reason
    first = failure.mismatches[0] if failure.mismatches else None
    told = failure.headline or (f"{first.path}: expected {first.expected}, actual {first.actual}" if first else "")
    return f"{failure.step}: {told}" if failure.step else told


def data_of(finished: CaseFinished, contracts: Contracts | None = None) -> dict[str, Any]:
    """Return everything else that the page of a case shows; with `contracts`, what is wrong with each message by them."""
    record = finished.record
    if record is None:
        return {
            "reason": Redactor()(finished.reason),
            "traceback": clip(finished.traceback, LONGEST_BODY, Redactor()),
        }
    return _Story(record, finished, contracts.errors if contracts is not None else {}).data()


class _Story:
    """Turns a record into data. Each text is redacted once, however often it stands there."""

    def __init__(self, record: Record, finished: CaseFinished, wrong: Mapping[int, Sequence[tuple[str, str]]]) -> None:
        self._record, self._finished, self._wrong = record, finished, wrong
        self._redactor = Redactor(record.secrets)
        self._known: dict[str, str] = {}
        self._left: list[str] = []
        """What has been left out, a sentence each."""
        weight = sum(len(line.text) for line in record.lines) + sum(_size(entry) for entry in record.entries)
        self._body, self._line = LONGEST_BODY, LONGEST_LINE
        if weight > LONGEST_TEXT:
            self._body = self._line = SHORT
            self._left.append(f"bodies and log lines are cut to {SHORT} characters: together they have {weight:,}")

    def data(self) -> dict[str, Any]:
        record, finished = self._record, self._finished
        return {
            "started": record.started_at,
            "ended": self._ms(finished.at),
            "reason": self._redact(finished.reason),
            "traceback": clip(finished.traceback, LONGEST_BODY, self._redact),
            "failure": finished.failure and self._failure(finished.failure),
            "steps": [
                {**_fields(step, "at", "seconds", "waiting", "looks", "shown"), "name": self._redact(step.name),
                 "at": self._ms(step.at), "ms": _round(step.seconds * 1000), "waiting": _round(step.waiting * 1000),
                 "looks": [[_round(each.first * 1000), _round(each.last * 1000), each.count,
                            clip(each.missing, SHORT, self._redact)] for each in step.looks],
                 **({"shown": clipped_json(step.shown, LONGEST_SHOWN, self._redact)} if step.shown is not None else {})}
                for step in record.steps
            ],
            "listings": [
                {**_fields(listing), "lines": [clip(line, LONGEST_LINE, self._redact) for line in listing.lines]}
                for listing in record.listings
            ],
            "entries": [self._entry(entry) for entry in self._most("ledger entries", record.entries, MOST_ENTRIES)],
            "lines": [self._log_line(line) for line in self._most("log lines", record.lines, MOST_LINES)],
            "exits": [{**_fields(each, "at"), "at": self._ms(each.at)} for each in record.exits],
            "moments": [self._moment(each) for each in self._most("moments", record.moments, MOST_MOMENTS)],
            "exchanges": [
                {"at": self._ms(each.at), "ms": None if each.seconds is None else _round(each.seconds * 1000),
                 "caller": each.caller, "target": each.target, "summary": self._redact(each.summary),
                 "alarming": each.alarming, "view": clipped_json(each.view, 4 * self._body, self._redact)}
                for each in self._most("requests", record.exchanges, MOST_EXCHANGES)
            ],
            "spans": [self._span(span) for span in self._most("spans", record.spans, MOST_SPANS)],
            "transactions": [
                {"at": self._ms(each.began), "ms": _round((each.ended - each.began) * 1000), "service": each.service,
                 "end": each.end, "error": each.error, "changes": [self._redact(text) for text in each.changes],
                 "statements": [[self._redact(text), count] for text, count in each.statements]}
                for each in self._most("transactions", record.transactions.seen, MOST_TRANSACTIONS)
            ],
            "faults": [
                {"at": self._ms(each.at), "target": each.target, "text": self._redact(each.text)}
                for each in record.faults[:MOST_MOMENTS]
            ],
            "scaled": [self._scaled(each) for each in record.scaled],
            "clock": [[self._ms(at), _round(ahead * 1000)] for at, ahead in record.clock],
            "left": [*self._left, *record.log_gaps, *map(self._redact, record.transactions.unseen)],
        }  # fmt: skip

    def _failure(self, failure: Failure) -> dict[str, Any]:
        """It was redacted when it was made."""
        return {
            **_fields(failure, "timeline", "started_at", "mismatches"),
            "mismatches": [[m.path, m.expected, m.actual] for m in failure.mismatches[:100]],
            "timeline": [self._moment(each) for each in self._most("moments", failure.timeline, MOST_MOMENTS)],
        }

    def _span(self, span: Span) -> dict[str, Any]:
        return {
            "at": self._ms(span.start),
            "ms": _round((span.end - span.start) * 1000),
            "service": span.service,
            "name": clip(span.name, SHORT, self._redact),
            "kind": span.kind,
            "trace": span.trace_id,
            "id": span.span_id,
            "parent": span.parent_span_id,
            "status": span.status,
            "message": clip(span.status_message, SHORT, self._redact),
            "attributes": clipped_json(span.attributes, LONGEST_LINE, self._redact),
            "events": [
                [str(each.get("name", "")), clipped_json(each.get("attributes", {}), LONGEST_LINE, self._redact)]
                for each in span.events[:MOST_SPAN_EVENTS]
            ],
            "links": [link.span_id for link in span.links[:MOST_SPAN_EVENTS]],
        }

    def _scaled(self, scaled: ScaledService) -> dict[str, Any]:
        rule, facts = scaled.rule, scaled.facts
        return {
            "service": scaled.service,
            "queues": [[each.queue, each.messages, each.activation] for each in rule.queues],
            **{key: getattr(rule, key) for key in ("min", "max", "polling", "cooldown")},
            "trigger": "" if rule.job is None else rule.job.trigger,
            "first": facts["steps"][0],
            "changes": [
                [_round(each["at"] * 1000), each["from"], each["to"], each["count"], each["why"]]
                for each in self._most(f"changes of {scaled.service}", facts["history"], MOST_MOMENTS)
            ],
            "executions": [
                [_round(each["at"] * 1000), None if each["ended_at"] is None else _round(each["ended_at"] * 1000),
                 each["name"], each["status"], self._redact(each["reason"])]
                for each in self._most(f"executions of {scaled.service}", facts.get("executions", []), MOST_MOMENTS)
            ],
        }  # fmt: skip

    def _moment(self, moment: Moment) -> list[Any]:
        text = clip(moment.text, LONGEST_LINE, self._redact)
        return [self._ms(moment.at), moment.actor, text, int(moment.alarming)]

    def _log_line(self, line: LogLine) -> list[Any]:
        return [self._ms(line.at), line.service, line.replica, clip(line.text, self._line, self._redact)]

    def _entry(self, entry: Entry) -> dict[str, Any]:
        data: dict[str, Any] = {
            "n": entry.number,
            "at": self._ms(entry.at),
            "entity": entry.entity,
            "event": entry.event.value,
        }
        match entry.subject:
            case AboutMessage() as told:
                data |= {"seq": told.sequence, "id": self._redact(told.message_id or ""), "delivery": told.delivery}
                data |= _principal("who", told.consumer)
                if told.content is not None:
                    data |= _principal("sender", told.content.sender)
                    facts = dict(told.content.facts())
                    data["body"] = self._shown_body(facts)
                    if wrong := self._wrong.get(entry.number):
                        data["wrong"] = [[self._redact(path), clip(text, SHORT, self._redact)] for path, text in wrong]
                    others = {
                        key: value for key, value in facts.items() if value not in (None, {}) and key not in _BODY
                    }
                    data["props"] = clipped_json(others, LONGEST_BODY, self._redact)
            case AboutSession(session_id):
                data |= {"session": self._redact(session_id), **_principal("who", entry.consumer)}
        if entry.details:
            data["details"] = clipped_json(entry.details, LONGEST_BODY, self._redact)
        return data

    def _shown_body(self, facts: Mapping[str, Any]) -> str:
        if "body" in facts:
            return clipped_json(facts["body"], self._body, self._redact)
        packed = str(facts.get("body_base64") or "")
        enough = (2 * self._body + 8192) // 3 * 4  # whole groups of four, more than is shown
        try:
            raw = base64.b64decode(packed[:enough])
        except binascii.Error:
            return "(no base64)"
        size = len(packed) * 3 // 4 - packed[-2:].count("=")
        text = raw.decode("utf-8", errors="replace")
        if text[:1000].count("\ufffd") + text[:1000].count("\0") > 10:
            return f"({size:,} bytes that are no text)"
        if len(packed) <= enough:
            return clip(text, self._body, self._redact)
        return f"{self._redact(text)[: self._body]}… (cut; {size:,} bytes)"

    def _redact(self, text: str) -> str:
        if (known := self._known.get(text)) is None:
            known = self._redactor(text)
            if len(text) < SHORT:
                self._known[text] = known
        return known

    def _most(self, what: str, items: Sequence[T], most: int) -> Sequence[T]:
        """The first and the last of many."""
        if len(items) <= most:
            return items
        self._left.append(f"{len(items) - most:,} of {len(items):,} {what}, from the middle of the case")
        return [*items[: most // 2], *items[-most // 2 :]]

    def _ms(self, at: float) -> float:
        return _round((at - self._record.started_at) * 1000)


_BODY = frozenset({"body", "body_base64"})


def _size(entry: Entry) -> int:
    content = entry.message.content if entry.message is not None else None
    return 0 if content is None else min(LONGEST_BODY, len(str(content.facts().get("body_base64") or "")))


def _principal(key: str, principal: str | None) -> dict[str, str]:
    """Return a service and its replica as `worker.1`, and the identity and role by which it acts."""
    if not principal:
        return {}
    known = Principal.read(principal)
    shown = {key: known.name.removeprefix(SERVICE_RULE)}
    return shown | ({f"{key}_as": f"{known.identity}, {known.role}"} if known.role else {})


def _fields(value: Any, *without: str) -> dict[str, Any]:
    return {each.name: getattr(value, each.name) for each in dataclasses.fields(value) if each.name not in without}


def _round(milliseconds: float) -> float:
    return round(milliseconds, 1)


def packed(data: Mapping[str, Any]) -> str:
    """Return data as JSON, deflated, in base64."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return base64.b64encode(zlib.compress(text.encode("utf-8", errors="replace"), 6)).decode()


def unpacked(text: str) -> dict[str, Any]:
    """Return the data that `packed` has packed. Raises `ValueError`."""
    try:
        inflater = zlib.decompressobj()
        whole = inflater.decompress(base64.b64decode(text, validate=True), LONGEST_STORY)
        if not inflater.eof:
            raise ValueError("it is too long" if inflater.unconsumed_tail else "its end is missing")
        data = json.loads(whole)
    except (zlib.error, RecursionError) as error:
        raise ValueError(str(error)) from None
    if not isinstance(data, dict):
        raise ValueError("it is no story")
    return data
