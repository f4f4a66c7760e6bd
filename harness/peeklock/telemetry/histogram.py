"""What histograms tell of single values, of which they keep no more than in which bucket each was."""

from __future__ import annotations

from peeklock.telemetry.records import Point


def extremes(point: Point, base: Point | None) -> tuple[float, float]:
    """Return the lowest and the highest value that a histogram recorded between two of its points (`base` is the former).

    They are exact of a single value, where the client tells them of just this time, and when they are the lowest or highest since
    its process began. Else they are the outer bounds of the buckets that have grown; without buckets, the mean.
    """
    count = (point.count or 0) - (0 if base is None else base.count or 0)
    value = point.value - (0.0 if base is None else base.value)
    low = high = value / count if count else value
    if count == 1:
        return low, high
    then = base.buckets if base is not None else ()
    grown = [index for index, held in enumerate(point.buckets) if held > (then[index] if index < len(then) else 0)]
    if grown:
        low = point.bounds[grown[0] - 1] if grown[0] else low
        high = point.bounds[grown[-1]] if grown[-1] < len(point.bounds) else max(high, *point.bounds[-1:])
    if point.low is not None:
        fresh = base is None or base.low is None or point.low < base.low
        low = point.low if fresh or (grown and not grown[0]) else max(low, point.low)
    if point.high is not None:
        fresh = base is None or base.high is None or point.high > base.high
        high = point.high if fresh or (grown and grown[-1] == len(point.bounds)) else min(high, point.high)
    return low, high
