"""A histogram tells the extremes of what it recorded as well as its client lets it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from peeklock.telemetry import Point
from peeklock.telemetry.histogram import extremes

BASE = Point("api", "took", 10.0, 30.0, count=3, low=2.0, high=15.0, bounds=(10.0, 20.0), buckets=(1, 2, 0))


@pytest.mark.parametrize(
    ("later", "expected"),
    [
        ({"value": 34.0, "count": 5, "low": 1.0, "buckets": (3, 2, 0)}, (1.0, 10.0)),
        ({"value": 77.0, "count": 5, "high": 25.0, "buckets": (1, 2, 2)}, (20.0, 25.0)),
        ({"value": 54.0, "count": 5, "buckets": (1, 4, 0)}, (10.0, 15.0)),
        ({"value": 48.0, "count": 6, "buckets": (3, 3, 0)}, (2.0, 15.0)),
        ({"value": 42.0, "count": 4, "buckets": (1, 3, 0)}, (12.0, 12.0)),
    ],
    ids=["the lowest ever", "the highest ever", "within a bucket", "over two buckets", "a single value"],
)
def test_between_two_points(later: dict[str, object], expected: tuple[float, float]) -> None:
    """A new extreme is exact; else it is the bound of the outermost bucket, within what was ever recorded."""
    assert extremes(replace(BASE, **later), BASE) == expected  # type: ignore[arg-type]


def test_the_first_point_tells_its_own() -> None:
    assert extremes(BASE, None) == (2.0, 15.0)


def test_buckets_alone_tell_their_bounds() -> None:
    assert extremes(replace(BASE, low=None, high=None, buckets=(0, 2, 0)), None) == (10.0, 20.0)


def test_without_buckets_the_mean_is_told() -> None:
    plain = replace(BASE, low=None, high=None, bounds=(), buckets=())
    assert extremes(replace(plain, value=38.0, count=5), plain) == (4.0, 4.0)
