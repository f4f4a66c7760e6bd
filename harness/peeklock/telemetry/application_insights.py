"""Envelopes of Application Insights: a JSON array, or one JSON object a line, in; a batch out."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from peeklock.telemetry.limits import Counter, TelemetryRefused
from peeklock.telemetry.records import EVENT, Batch, Kind, Link, LogRecord, Point, Span

_LEVELS = ("debug", "info", "warning", "error", "critical")
_NAMED_LEVELS = {"verbose": "debug", "information": "info"} | {level: level for level in _LEVELS}
_DURATION = re.compile(r"(?:(\d{1,6})\.)?(\d{1,2}):(\d{1,2}):(\d{1,2})(\.\d{1,9})?")
_FACTS = ("url", "responseCode", "source", "target", "type", "data", "resultCode")
"""Fields of requests and dependencies that are shown beside their properties."""
_OWN_METRICS = ("_OTELRESOURCE_",)
"""What the SDKs send of themselves."""
_WRONG = (KeyError, TypeError, ValueError, AttributeError, OverflowError)


def read(body: bytes, service: Callable[[Mapping[str, Any]], str], counter: Counter) -> tuple[Batch, int]:
    """Return what a request to `/v2.1/track` brought, and how many items it had; those that cannot be read are in `refused`.

    `service` tells whose telemetry it is by the tags of an item. Raises `TelemetryRefused`.
    """
    items = _items(body)
    counter.add(len(items))
    batch = Batch()
    for index, item in enumerate(items):
        try:
            _read_item(item, service, counter, batch)
        except _WRONG as error:
            batch.refused.append((index, f"{type(error).__name__}: {str(error)[:200]}"))
    return batch, len(items)


def _items(body: bytes) -> list[Any]:
    try:
        text = body.decode("utf-8").strip()
        if text.startswith("["):
            found: list[Any] = json.loads(text)
            return found
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    except (ValueError, RecursionError) as error:
        raise TelemetryRefused(400, f"not JSON, and not JSON lines: {str(error)[:200]}") from None


def _read_item(item: Any, service: Callable[[Mapping[str, Any]], str], counter: Counter, batch: Batch) -> None:
    tags: Mapping[str, Any] = item.get("tags") or {}
    data = item["data"]
    facts: dict[str, Any] = data["baseData"]
    owner, at = service(tags), _moment(item["time"])
    own = {**(facts.get("properties") or {}), **(facts.get("measurements") or {})}
    counter.add_attributes(len(own))
    match data["baseType"]:
        case "RequestData" | "RemoteDependencyData" as kind:
            batch.spans.append(_span(kind, facts, own, tags, owner, at))
        case "MetricData":
            counter.add_attributes(len(facts["metrics"]))
            batch.points += [
                _point(metric, own, owner, at) for metric in facts["metrics"] if metric["name"] not in _OWN_METRICS
            ]
        case "MessageData":
            batch.logs.append(_log(str(facts.get("message", "")), _level(facts, "info"), own, tags, owner, at))
        case "ExceptionData":
            first = facts["exceptions"][0]
            own |= {"exception.type": first.get("typeName"), "exception.stacktrace": first.get("stack")}
            batch.logs.append(_log(str(first.get("message", "")), _level(facts, "error"), own, tags, owner, at))
        case "EventData":
            name = str(facts["name"])
            batch.logs.append(_log(name, "info", {**own, EVENT: name}, tags, owner, at))
        case _:
            """Page views, availability and what else there is say nothing about a service."""


def _span(
    base: str, facts: Mapping[str, Any], own: dict[str, Any], tags: Mapping[str, Any], service: str, at: float
) -> Span:
    links = json.loads(own.pop("_MS.links", None) or "[]")
    attributes = own | {key: facts[key] for key in _FACTS if facts.get(key)}
    return Span(
        service,
        str(
            facts.get("name") or tags.get("ai.operation.name") or ""
        ),  # the client for Node.js leaves consumers nameless
        _kind(base, facts),
        str(tags.get("ai.operation.id", "")),
        str(facts["id"]),
        str(tags.get("ai.operation.parentId", "")),
        at,
        at + _seconds(facts["duration"]),
        "unset" if facts.get("success", True) else "error",
        attributes=attributes,
        links=tuple(Link(str(link["operation_Id"]), str(link["id"])) for link in links),
    )


def _kind(base: str, facts: Mapping[str, Any]) -> Kind:
    if base == "RequestData":
        return "server" if facts.get("url") or facts.get("responseCode", "0") != "0" else "consumer"
    sort = str(facts.get("type", ""))
    return "internal" if sort.startswith("InProc") else "producer" if sort.startswith("Queue Message") else "client"


def _point(metric: Mapping[str, Any], own: Mapping[str, Any], service: str, at: float) -> Point:
    count = metric.get("count")
    return Point(
        service,
        str(metric["name"]),
        at,
        _number(metric["value"]),
        own,
        grows=True,
        count=None if count is None else int(count),
        low=_optional(metric.get("min")),
        high=_optional(metric.get("max")),
    )


def _log(text: str, level: str, own: Mapping[str, Any], tags: Mapping[str, Any], service: str, at: float) -> LogRecord:
    trace, span = (str(tags.get(f"ai.operation.{key}", "")) for key in ("id", "parentId"))
    return LogRecord(service, at, level, text, trace.strip("0") and trace, span.strip("0") and span, own)


def _level(facts: Mapping[str, Any], otherwise: str) -> str:
    found = facts.get("severityLevel")
    if isinstance(found, int):
        return _LEVELS[min(max(found, 0), 4)]
    return _NAMED_LEVELS.get(str(found).lower(), otherwise)


def _number(value: Any) -> float:
    found = float(value)
    if not math.isfinite(found):
        raise ValueError(f"not a number: {value!r}")
    return found


def _optional(value: Any) -> float | None:
    return None if value is None else _number(value)


def _moment(text: str) -> float:
    # .NET writes seven digits of a second, which `datetime` would refuse
    found = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text))
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _seconds(text: str) -> float:
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ValueError(f"not a duration: {text[:40]!r}")
    days, hours, minutes, seconds, rest = found.groups()
    whole = timedelta(days=int(days or 0), hours=int(hours), minutes=int(minutes), seconds=int(seconds))
    return whole.total_seconds() + float(rest or 0)
