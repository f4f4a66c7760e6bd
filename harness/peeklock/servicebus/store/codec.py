"""How contents, rules and settings are written in a store: as bytes, as AMQP, which keeps every type, or as JSON."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import replace
from typing import Any, assert_never

from peeklock.servicebus.amqp import Envelope, decode
from peeklock.servicebus.amqp.encode import encode
from peeklock.servicebus.amqp.message import PACKED
from peeklock.servicebus.amqp.reading import Reading
from peeklock.servicebus.broker.rules import CorrelationFilter, FalseFilter, Rule, SqlFilter, TrueFilter
from peeklock.servicebus.broker.rules.actions import SqlAction
from peeklock.servicebus.entity_settings import EntitySettings, Queue, Subscription, Topic, out_of_range, settings_of
from peeklock.servicebus.ledger import AboutEntity, AboutMessage, AboutSession, Entry, EventKind, Subject
from peeklock.servicebus.settings import TopologyError, read_settings

_SESSION = "session_id"


def load_content(raw: bytes) -> Envelope:
    """Read what `Envelope.pack` has written, or format 1, which is a list of the fields. Raises `DecodeError`, and others, for
    what neither has written."""
    if raw[:1] == PACKED:
        return Envelope.unpack(raw)
    content = Envelope.__new__(Envelope)
    for name, value in zip(Reading.__slots__, decode.plain(raw)[0], strict=True):
        setattr(content, name, tuple(value) if isinstance(value, list) else value)
    return content


class Contents:
    """Reads contents; one that stands in several places, as a message and its entries in the ledger do, is verified once."""

    def __init__(self) -> None:
        self._verified: set[int] = set()

    def load(self, raw: bytes) -> Envelope:
        """Read a content. Raises as `load_content` does."""
        content, known = load_content(raw), hash(raw)
        if known not in self._verified:
            content.verify()
            self._verified.add(known)
        return content


class Bodies(dict[Any, bytes]):
    """Contents as they are written, each encoded once a turn."""

    def __missing__(self, content: Any) -> bytes:
        raw: bytes = content.pack()
        self[content] = raw
        return raw


def dump_entry(entry: Entry, bodies: Bodies) -> tuple[Any, ...]:
    """Write a ledger entry as a row of its table; the id of a session stands among the details."""
    head = (entry.number, entry.at, entry.entity, entry.event.value)
    subject, details = entry.subject, entry.details
    match subject:
        case AboutMessage(sequence, message_id, delivery, consumer, content):
            body = None if content is None else bodies[content]
            told = json.dumps(dict(details)) if details else None
            return (*head, sequence, message_id, delivery, consumer, told, body)
        case AboutSession(session_id, consumer):
            return (*head, 0, "", 0, consumer, json.dumps({**details, _SESSION: session_id}), None)
        case AboutEntity():
            return (*head, 0, "", 0, None, json.dumps(dict(details)), None)
        case _:
            assert_never(subject)


def load_entry(row: tuple[Any, ...], contents: Contents) -> Entry:
    """Read what `dump_entry` has written."""
    number, at, entity, event, sequence, message_id, delivery, consumer, told, body = row
    details = {} if told is None else json.loads(told)
    subject: Subject
    if (session_id := details.pop(_SESSION, None)) is not None:
        subject = AboutSession(session_id, consumer)
    elif sequence or message_id:
        content = None if body is None else contents.load(body)
        subject = AboutMessage(sequence, message_id, delivery, consumer, content)
    else:
        subject = AboutEntity()
    return Entry(number, at, entity, EventKind(event), subject, details)


def dump_rules(rules: list[Rule]) -> bytes:
    """Write the rules of a subscription, in their order."""
    return encode([_rule(rule) for rule in rules])


def _rule(rule: Rule) -> list[Any]:
    condition = rule.filter
    parts: list[Any] = [type(condition).__name__]
    if isinstance(condition, SqlFilter):
        parts += [condition.expression, condition.parameters]
    elif isinstance(condition, CorrelationFilter):
        parts += [condition.system, condition.properties]
    action = None if rule.action is None else [rule.action.expression, rule.action.parameters]
    return [rule.name, rule.created_at, parts, action]


def load_rules(raw: bytes) -> list[Rule]:
    """Read what `dump_rules` has written."""
    rules = []
    for name, created_at, (kind, *parts), action in decode.value(raw)[0]:
        condition: Any
        match kind:
            case "SqlFilter":
                condition = SqlFilter(*parts)
            case "CorrelationFilter":
                condition = CorrelationFilter(*parts)
            case "FalseFilter":
                condition = FalseFilter()
            case _:
                condition = TrueFilter()
        rules.append(Rule(name, condition, None if action is None else SqlAction(*action), created_at))
    return rules


def dump_settings(settings: Any) -> str:
    """Write the settings of a queue, a topic or a subscription, without what hangs on it."""
    values = {item.name: getattr(settings, item.name) for item in dataclasses.fields(settings)}
    return json.dumps({name: value for name, value in values.items() if name not in ("subscriptions", "rules")})


def load_settings(kind: str, text: str) -> Any:
    """Read the settings of a `Queue`, `Topic` or `Subscription`; a subscription has no rules yet. Raises `TopologyError`."""
    kinds: dict[str, type[EntitySettings]] = {"Queue": Queue, "Topic": Topic, "Subscription": Subscription}
    settings = read_settings(kinds[kind], json.loads(text), f"the settings of a {kind}")
    for setting in settings_of(kinds[kind]):
        value = getattr(settings, setting.name)
        if (expected := out_of_range(setting, value)) is not None:
            raise TopologyError(f"{setting.name} is {value!r}, expected {expected}")
    return replace(settings, rules={}) if kind == "Subscription" else settings
