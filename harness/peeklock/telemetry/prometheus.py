"""A page of metrics in Prometheus' text format, as services show it."""

from __future__ import annotations

from peeklock.errors import PeeklockError
from peeklock.telemetry.records import Point
from peeklock.telemetry.series import Series

try:
    from prometheus_client.parser import text_string_to_metric_families
except ImportError as missing:  # pragma: no cover -- an optional extra
    raise PeeklockError(
        f"reading a page of metrics needs the package {missing.name}, which is not installed",
        fix="pip install 'peeklock[telemetry]'",
    ) from missing


def read_page(text: str, service: str, at: float) -> list[Series]:
    """Return the samples of a page, read from a service at a moment. Raises `ValueError` when it is none."""
    return [
        Series(service, sample.name, sample.labels, (Point(service, sample.name, at, sample.value, sample.labels),))
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    ]
