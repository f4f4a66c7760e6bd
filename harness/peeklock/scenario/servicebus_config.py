"""`stack.servicebus.config`: the queues and topics that a project has in the official emulator's Config.json."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from peeklock.durations import format_duration
from peeklock.scenario.document import DataPath, Document
from peeklock.scenario.errors import Problem, Span
from peeklock.scenario.topology import Queue, Subscription, Topic
from peeklock.servicebus.config import load_namespaces
from peeklock.servicebus.entity_settings import SETTINGS, Rule
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
        namespaces = load_namespaces(str(path), port=0, warn=passed_over.append)
        if len(namespaces) != 1:
            named = ", ".join(namespaces)
            raise TopologyError(f"{path}: expected one namespace, got {len(namespaces)}: {named}", "keep one in a file")
        (topology,) = namespaces.values()
        entities = _entities(topology, path)
    except TopologyError as error:
        return document, [document.problem(_PLACE, error.problem, fix=error.fix)], ()
    source = path.read_text(encoding="utf-8-sig")
    spans: dict[DataPath, Span] = {}
    for kind, named in entities.items():
        for name, settings in named.items():
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


def _entities(topology: Topology, path: Path) -> dict[str, Any]:
    queues = {
        name: _settings(each, Queue.model_fields, f"{path}: queue {name}") for name, each in topology.queues.items()
    }
    topics = {}
    for name, topic in topology.topics.items():
        subscriptions = {}
        for own, each in topic.subscriptions.items():
            settings = _settings(each, Subscription.model_fields, f"{path}: subscription {own} of {name}")
            if each.rules is not None:
                settings["rules"] = {key: _rule(rule, f"{path}: rule {key}") for key, rule in each.rules.items()}
            subscriptions[own] = settings
        topics[name] = _settings(topic, Topic.model_fields, f"{path}: topic {name}") | {"subscriptions": subscriptions}
    return {"queues": queues, "topics": topics}


def _settings(entity: Any, known: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return what an entity has that is not Azure's default, as a scenario writes it."""
    found: dict[str, Any] = {}
    for each in fields(entity):
        value = getattr(entity, each.name)
        if each.name not in SETTINGS or value == SETTINGS[each.name].default:
            continue
        if each.name not in known:
            raise TopologyError(
                f"{where}: has {each.name}, which a scenario's entities do not", "remove it from that file"
            )
        found[each.name] = format_duration(value) if SETTINGS[each.name].unit == "seconds" else value
    return found


def _rule(rule: Rule, where: str) -> dict[str, Any] | bool:
    if rule.parameters:
        raise TopologyError(
            f"{where}: has parameters, which a scenario's rules do not", "write the values into its SQL"
        )
    if rule.matches is not None:
        return rule.matches
    parts = {"sql": rule.sql, "correlation": rule.correlation, "action": rule.action}
    return {name: value for name, value in parts.items() if value is not None}
