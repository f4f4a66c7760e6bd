"""What telemetry consists of, whatever protocol brought it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["internal", "server", "client", "producer", "consumer"]
Status = Literal["unset", "ok", "error"]


def service_of(process: str) -> str:
    """Return the service that a replica belongs to: `worker` of `worker.1`."""
    name, _, number = process.rpartition(".")
    return name if number.isdecimal() else process


@dataclass(frozen=True, slots=True)
class Link:
    """A span that another one refers to without being its child. Ids are lower-case hexadecimal."""

    trace_id: str
    span_id: str


@dataclass(frozen=True, slots=True)
class Span:
    """One operation of a service."""

    service: str
    """As the scenario calls it, or one replica of it: `worker`, `worker.1`."""
    name: str
    kind: Kind
    trace_id: str
    span_id: str
    parent_span_id: str
    """Empty for the first span of a trace."""
    start: float
    """Unix seconds."""
    end: float
    status: Status = "unset"
    status_message: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    links: tuple[Link, ...] = ()
    events: tuple[Mapping[str, Any], ...] = ()
    """`name`, `at` (Unix seconds) and `attributes` of each, as of an exception."""


@dataclass(frozen=True, slots=True)
class Point:
    """What a metric was worth at a moment, for one set of attributes."""

    service: str
    name: str
    at: float
    """Unix seconds."""
    value: float
    """Of a histogram: the sum of what was recorded."""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    grows: bool = False
    """Whether it counts or sums something up, so that its increase can be told."""
    since: float | None = None
    """A cumulative value counts from then on; None: it tells of the time since the point before it."""
    count: int | None = None
    """How many values a histogram has recorded."""
    unit: str = ""
    low: float | None = None
    """The lowest value that a histogram has recorded in the same time as `value`, where that is told."""
    high: float | None = None
    bounds: tuple[float, ...] = ()
    """Of a histogram's buckets: each holds what is at most its bound, and more than the bound before it."""
    buckets: tuple[int, ...] = ()
    """How many values each bucket holds; one more than there are bounds."""


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One line of a log, or an exception or event of Application Insights."""

    service: str
    at: float
    """Unix seconds."""
    level: str
    """`trace`, `debug`, `info`, `warning`, `error` or `critical`."""
    text: str
    trace_id: str = ""
    span_id: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)


EVENT = "microsoft.custom_event.name"
"""The attribute that makes a log record a custom event, as azure-monitor-opentelemetry knows it."""


@dataclass(slots=True)
class Batch:
    """What one request brought."""

    spans: list[Span] = field(default_factory=list)
    points: list[Point] = field(default_factory=list)
    logs: list[LogRecord] = field(default_factory=list)
    values: int = 0
    """How many records and attributes it has: what it costs to keep."""
    refused: list[tuple[int, str]] = field(default_factory=list)
    """Items that could not be read: which, and why."""
