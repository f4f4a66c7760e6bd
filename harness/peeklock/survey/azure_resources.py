"""Takes what templates of Azure deploy, and reads those of ARM: Service Bus entities, blob containers, Postgres."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from peeklock.durations import format_duration, parse_iso
from peeklock.errors import PeeklockError
from peeklock.servicebus.entity_settings import SETTINGS

from .draft import Draft

_BUS = "microsoft.servicebus/namespaces"
_CONTAINERS = "microsoft.storage/storageaccounts/blobservices/containers"
_KNOWN = {setting.official[0].lower() + setting.official[1:]: setting for setting in SETTINGS.values()}
_SWITCHES = {setting.switch[0].lower() + setting.switch[1:]: setting for setting in SETTINGS.values() if setting.switch}
_SAME_HERE = {"enableBatchedOperations", "maxSizeInMegabytes", "maxMessageSizeInKilobytes", "enableExpress", "status"}
"""What has no counterpart, and changes nothing that a scenario sees."""


_FOR_EVER = "P10675199DT2H48M5.4775807S"
"""What exported templates say where nothing was chosen."""


class TemplateInvalid(PeeklockError):
    """A template that cannot be read."""


class Expression(str):
    """What is known only when a template is deployed."""

    __slots__ = ()


@dataclass
class Resource:
    """One resource of a template."""

    type: str
    """In lower case, whole: with the types of what it stands in."""
    name: str
    """The last part."""
    properties: Mapping[str, Any]
    place: str
    parents: tuple[str, ...] = ()
    """Names of what it stands in, the nearest last."""
    children: list[Resource] = field(default_factory=list)


def read_arm(path: Path, draft: Draft) -> None:
    """Add what an ARM template deploys. Raises `TemplateInvalid`."""
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, OSError) as error:
        raise TemplateInvalid(f"{path} is no ARM template: {error}") from None
    defaults = {
        name: facts.get("defaultValue")
        for name, facts in (document.get("parameters") or {}).items()
        if isinstance(facts, dict)
    }
    known = {**defaults, **(document.get("variables") or {})}
    take(list(_arm(document.get("resources") or [], known, draft.near(path), "", ())), draft)


def _arm(
    resources: Any, known: Mapping[str, Any], place: str, above: str, parents: tuple[str, ...]
) -> Iterator[Resource]:
    for each in resources.values() if isinstance(resources, dict) else resources:
        if not isinstance(each, dict) or not isinstance(each.get("type"), str):
            continue
        kind = each["type"] if "/" in each["type"] and not above else f"{above}/{each['type']}".lstrip("/")
        names = _arm_name(str(each.get("name", "")), known).split("/")
        yield Resource(kind.lower(), names[-1], each.get("properties") or {}, place, (*parents, *names[:-1]))
        yield from _arm(each.get("resources") or [], known, place, kind, (*parents, *names))


def _arm_name(text: str, known: Mapping[str, Any]) -> str:
    """Return a name, with the parameters and variables of an expression in the place of their calls."""
    if not text.startswith("["):
        return text
    parts = re.findall(r"(?:parameters|variables)\('([^']+)'\)|'([^']*)'", re.sub(r"^\[(concat|format)\(", "", text))
    joined = [str(known.get(name) or "*") if name else literal for name, literal in parts]
    if text.startswith("[format(") and joined:
        template, *values = joined
        return re.sub(
            r"\{(\d+)\}", lambda match: values[int(match[1])] if int(match[1]) < len(values) else "*", template
        )
    return "".join(joined) or "*"


def take(resources: list[Resource], draft: Draft) -> None:
    """Add what resources there are to a draft; what is not carried over is told."""
    for each in resources:
        kind = each.type
        if kind.startswith(_BUS) and each.name == "*":
            draft.passed_over.append(
                f"{each.place}: a {kind.rpartition('/')[2].rstrip('s')} whose name is only known when it is deployed"
            )
        elif kind == f"{_BUS}/queues":
            draft.queues[each.name] = _settings(each, draft)
        elif kind == f"{_BUS}/topics":
            draft.topics.setdefault(each.name, {}).update(_settings(each, draft))
        elif kind == f"{_BUS}/topics/subscriptions" and each.parents:
            topic = draft.topics.setdefault(each.parents[-1], {})
            topic.setdefault("subscriptions", {}).setdefault(each.name, {}).update(_settings(each, draft))
        elif kind == f"{_BUS}/topics/subscriptions/rules" and len(each.parents) > 1:
            topic = draft.topics.setdefault(each.parents[-2], {})
            subscription = topic.setdefault("subscriptions", {}).setdefault(each.parents[-1], {})
            subscription.setdefault("rules", {})[each.name] = _rule(each.properties)
        elif kind == _CONTAINERS:
            draft.containers = list(dict.fromkeys([*draft.containers, each.name]))
        elif kind.startswith(_BUS + "/"):
            draft.passed_over.append(f"{each.place}: {kind.removeprefix(_BUS + '/')} {each.name}")
        draft.parts |= _part(kind)


def _part(kind: str) -> set[str]:
    if kind.startswith(_BUS):
        return {"servicebus"}
    if kind.startswith("microsoft.storage/storageaccounts"):
        return {"blobs"}
    return {"postgres"} if kind.startswith("microsoft.dbforpostgresql/") else set()


def _settings(resource: Resource, draft: Draft) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in resource.properties.items():
        setting = _KNOWN.get(key)
        if key in _SWITCHES or key in _SAME_HERE or value == _FOR_EVER:
            continue
        said = None if setting is None else _value(setting.unit, value)
        if setting is None or said is None:
            draft.passed_over.append(f"{resource.place}: {resource.name}: {key}: {value}")
        elif setting.switch is None or resource.properties.get(setting.switch[0].lower() + setting.switch[1:]) is True:
            found[setting.name] = said
    for key, setting in _SWITCHES.items():
        if resource.properties.get(key) is True and setting.name not in found:
            found[setting.name] = "10m"
    return found


def _value(unit: str, value: Any) -> Any:
    """Return a setting as a scenario writes it; None for what cannot be known before it is deployed."""
    if isinstance(value, Expression) or (isinstance(value, str) and value.startswith("[")):
        return None
    if unit == "seconds":
        seconds = parse_iso(value) if isinstance(value, str) else None
        return None if seconds is None else format_duration(seconds)
    kind = {"count": int, "flag": bool, "text": str}[unit]
    return value if isinstance(value, kind) and not (kind is int and isinstance(value, bool)) else None


def _rule(properties: Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(found := properties.get("correlationFilter"), dict):
        names = {"label": "subject", "messageId": "message_id", "correlationId": "correlation_id", "replyTo": "reply_to",
                 "sessionId": "session_id", "contentType": "content_type", "replyToSessionId": "reply_to_session_id"}  # fmt: skip
        return {"correlation": {names.get(key, key): value for key, value in found.items()}}
    found = properties.get("sqlFilter")
    return {"sql": str(found.get("sqlExpression", "1=1"))} if isinstance(found, dict) else {"sql": "1=1"}
