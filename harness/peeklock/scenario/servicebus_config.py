"""`stack.servicebus.config`: the queues and topics that a project has in the official emulator's Config.json."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from peeklock.durations import format_duration
from peeklock.scenario.document import DataPath, Document
from peeklock.scenario.errors import Problem, Span
from peeklock.servicebus.config import parse_config, read_text
from peeklock.servicebus.entity_settings import SETTINGS, Rule, Subscription
from peeklock.servicebus.settings import TopologyError
from peeklock.servicebus.topology import Topology

_PLACE: DataPath = ("stack", "servicebus", "config")


def with_config(document: Document) -> tuple[Document, list[Problem], tuple[str, ...]]:
    """Return a document on top of the configuration file that it names, what is wrong with that file, and a sentence for each
    thing in it that is passed over.

    What a scenario says of an entity beside it wins, setting by setting. A file that is not there is told by validation.
    """
    named: Any = document.data
    for key in _PLACE:
        named = named.get(key) if isinstance(named, Mapping) else None
    if not isinstance(named, str):
        return document, [], ()
    path = (getattr(named, "folder", document.path.parent) / named).resolve()
    if not path.is_file():
        return document, [], ()
    passed_over: list[str] = []
    try:
        source = read_text(str(path))
        entities = _entities(parse_config(source, str(path), warn=passed_over.append))
    except TopologyError as error:
        return document, [document.problem(_PLACE, error.problem, fix=error.fix)], ()
    spans: dict[DataPath, Span] = {}
    for kind, settings_by_name in entities.items():
        for name, settings in settings_by_name.items():
            span = _span(source, name)
            for place in ((), *((setting,) for setting in settings)):
                spans["stack", "servicebus", kind, name, *place] = span
    below = Document(path, source, {"stack": {"servicebus": entities}}, spans, {})
    return document.extending(below), [], tuple(passed_over)


def _span(source: str, name: str) -> Span:
    """Return where a name is written first."""
    found = re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w.-])", source)
    start = found.start() if found else 0
    line, column = source.count("\n", 0, start) + 1, start - source.rfind("\n", 0, start)
    return Span(line, column, line, column + len(name))


def _entities(topology: Topology) -> dict[str, dict[str, dict[str, Any]]]:
    topics = {
        name: _settings(topic)
        | {"subscriptions": {own: _subscription(each) for own, each in topic.subscriptions.items()}}
        for name, topic in topology.topics.items()
    }
    return {"queues": {name: _settings(queue) for name, queue in topology.queues.items()}, "topics": topics}


def _settings(entity: Any) -> dict[str, Any]:
    """Return what an entity has that is not Azure's default, as a scenario writes it."""
    values = {
        each.name: value
        for each in fields(entity)
        if each.name in SETTINGS and (value := getattr(entity, each.name)) != SETTINGS[each.name].default
    }
    return {
        name: format_duration(value) if SETTINGS[name].unit == "seconds" else value for name, value in values.items()
    }


def _subscription(entity: Subscription) -> dict[str, Any]:
    rules = {name: _rule(rule) for name, rule in (entity.rules or {}).items()}
    return _settings(entity) | ({"rules": rules} if rules else {})


def _rule(rule: Rule) -> dict[str, Any]:
    parts = {"sql": rule.sql, "correlation": rule.correlation, "action": rule.action}
    return {name: value for name, value in parts.items() if value is not None}
