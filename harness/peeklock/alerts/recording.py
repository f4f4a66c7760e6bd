"""What rules could look at in a case that has been, written down and read again: JSON, a line for each point and row."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from peeklock.alerts.evaluation import Measured
from peeklock.alerts.kql import Row
from peeklock.alerts.point import Point
from peeklock.alerts.tables import CUSTOM_LINES, LINES, as_custom
from peeklock.errors import PeeklockError

_TIME = "TimeGenerated"


class RecordingError(PeeklockError):
    """What is read is not what was written."""


@dataclass(frozen=True)
class Recording:
    """What was measured in a case, from its beginning to its end (epoch seconds of its clock)."""

    case: str
    """`file.yaml::case`."""
    start: float
    end: float
    measured: Measured

    def lines(self) -> Iterator[str]:
        """Yield it as lines of JSON."""
        yield json.dumps({"case": self.case, "start": self.start, "end": self.end})
        for name, points in self.measured.metrics.items():
            for point in points:
                yield json.dumps({"metric": name, **_told(point)}, ensure_ascii=False)
        for name, rows in self.measured.tables.items():
            for row in rows:
                shown = {**row, _TIME: row[_TIME].timestamp()}
                yield json.dumps({"table": name, "row": shown}, ensure_ascii=False, default=str)


def read_recording(lines: Iterable[str]) -> Recording:
    """Read what `Recording.lines` has written. Raises `RecordingError`."""
    metrics: dict[str, list[Point]] = {}
    tables: dict[str, list[Row]] = {}
    head: Mapping[str, Any] = {}
    number = 0
    try:
        for number, line in enumerate(lines, 1):
            found = json.loads(line)
            if number == 1:
                head = {"case": str(found["case"]), "start": float(found["start"]), "end": float(found["end"])}
            elif "metric" in found:
                metrics.setdefault(str(found.pop("metric")), []).append(Point(**found))
            else:
                row = found["row"]
                row[_TIME] = datetime.fromtimestamp(row[_TIME], UTC)
                tables.setdefault(str(found["table"]), []).append(row)
        if LINES in tables:
            tables[CUSTOM_LINES] = as_custom(tables[LINES])
        return Recording(**head, measured=Measured(metrics, tables))
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise RecordingError(
            "this is no recording of a case",
            where=f"line {number}",
            actual=f"{type(error).__name__}: {str(error)[:100]}",
            fix="take the signals.ndjson that `peeklock run` has written",
        ) from None


def _told(point: Point) -> dict[str, Any]:
    told = {"at": point.at, "value": point.value, "dimensions": dict(point.dimensions)}
    if point.count != 1 or point.minimum is not None or point.maximum is not None:
        told |= {"count": point.count, "minimum": point.minimum, "maximum": point.maximum}
    return told
