"""The telemetry of one case."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable

from peeklock.telemetry.limits import CASE_BYTES, CASE_VALUES, TelemetryRefused
from peeklock.telemetry.records import Batch, LogRecord, Point, Span
from peeklock.telemetry.series import Series, identity

AHEAD = 60.0
"""Seconds that a service's clock may be ahead; what is further ahead comes from a case whose clock had been moved."""
BASELINES = 100_000
"""Series of earlier cases whose last value is known, so that their increase can be told."""


class Telemetry:
    """Keeps what came since a case began, and belongs to it. Thread-safe.

    What is late says so by its times: a span that began before the case is of the case before, unless it is linked to a trace
    of this one, as that of a receiver is which had waited for its message since then.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        """`now`: the clock that services go by, in Unix seconds."""
        self._now = now
        self._lock = threading.Lock()
        self._wakes: dict[int, Callable[[], None]] = {}
        self._before: dict[tuple[object, ...], Point] = {}
        self._exported: dict[str, float] = {}
        self._forget(0.0)

    def _forget(self, began: float) -> None:
        self._began = began
        self._spans: list[Span] = []
        self._straddling: list[Span] = []
        self._points: dict[tuple[object, ...], list[Point]] = {}
        self._logs: list[LogRecord] = []
        self._values = self._bytes = 0
        self._refused: list[str] = []

    def begin(self, *, anew: bool = False) -> None:
        """Begin the next case. `anew`: with processes that were not there in the one before."""
        with self._lock:
            self._before |= {key: points[-1] for key, points in self._points.items() if points[-1].since is not None}
            for key in list(self._before)[:-BASELINES]:
                del self._before[key]
            self._exported = {} if anew else dict.fromkeys(self._exported, 0.0)
            self._forget(math.floor(self._now() * 1000) / 1000)  # some SDKs know milliseconds only

    def add(self, batch: Batch, size: int) -> None:
        """Keep what a request of `size` bytes brought. Raises `TelemetryRefused` when the case has had too much."""
        with self._lock:
            if self._values + batch.values > CASE_VALUES or self._bytes + size > CASE_BYTES:
                reason = (
                    f"a case keeps {CASE_VALUES} records and attributes or {CASE_BYTES} bytes of telemetry, not more"
                )
                self._note(reason)
                raise TelemetryRefused(507, reason)
            self._values += batch.values
            self._bytes += size
            self._sort(batch)
            wakes = list(self._wakes.values())
        for wake in wakes:
            wake()

    def _sort(self, batch: Batch) -> None:
        latest = self._now() + AHEAD
        for span in batch.spans:
            if span.end > latest:
                continue
            if span.start >= self._began:
                self._spans.append(span)
            elif span.end >= self._began and span.links:
                self._straddling.append(span)
        for point in batch.points:
            if point.since is not None and point.at <= latest:
                self._exported[point.service] = point.at
            if self._began <= point.at <= latest:
                self._points.setdefault(identity(point), []).append(point)
            elif point.at < self._began and point.since is not None:
                self._before[identity(point)] = point
        self._logs += [record for record in batch.logs if self._began <= record.at <= latest]

    def refuse(self, reason: str) -> None:
        """Note that a service sent what could not be taken."""
        with self._lock:
            self._note(reason)

    def _note(self, reason: str) -> None:
        if reason not in self._refused and len(self._refused) < 10:
            self._refused.append(reason)

    @property
    def refused(self) -> list[str]:
        """Why telemetry of this case was not taken; empty when all was."""
        with self._lock:
            return list(self._refused)

    def spans(self) -> list[Span]:
        """Return the spans of this case in the order of their beginnings."""
        with self._lock:
            found, waiting = list(self._spans), self._straddling
            traces = {span.trace_id for span in found}
            found += [span for span in waiting if any(link.trace_id in traces for link in span.links)]
        return sorted(found, key=lambda span: span.start)

    def logs(self) -> list[LogRecord]:
        """Return the log records of this case in the order of their times."""
        with self._lock:
            return sorted(self._logs, key=lambda record: record.at)

    def series(self) -> list[Series]:
        """Return the metrics of this case."""
        with self._lock:
            return [
                Series(points[0].service, points[0].name, points[0].attributes, tuple(points), self._before.get(key))
                for key, points in self._points.items()
            ]

    def points(self) -> Iterable[Point]:
        """Return every point of this case."""
        with self._lock:
            return [point for points in self._points.values() for point in points]

    def exported(self) -> dict[str, float]:
        """Return of each process the moment of its last export of metrics that count on, by its clock; 0: none in this case."""
        with self._lock:
            return dict(self._exported)

    def on_change(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Call `wake` when something has come, from any thread; returns the function that ends it."""
        with self._lock:
            self._wakes[id(wake)] = wake

        def end() -> None:
            with self._lock:
                self._wakes.pop(id(wake), None)

        return end
