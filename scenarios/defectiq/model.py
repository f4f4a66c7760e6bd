"""What stands in for the model: it looks at the blade's edge and finds where that is not straight."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image

_LEAST = 3.0
"""Pixels by which the edge may be off: what the compression of a JPEG does to a straight line stays below."""


def look(request: dict[str, Any]) -> dict[str, Any]:
    """Return findings on the one picture of a request."""
    (picture,) = request["images"]
    boxes = irregularities(Image.open(io.BytesIO(picture["data"])))
    if not boxes:
        return {
            "defect_detected": False,
            "defect_type": None,
            "severity": None,
            "description": "The edge is straight.",
            "confidence": 0.95,
            "bounding_boxes": [],
        }
    deepest = max(box["height"] for box in boxes)
    severity = "minor" if deepest < 8 else "major" if deepest < 20 else "critical"
    return {
        "defect_detected": True,
        "defect_type": "edge_irregularity",
        "severity": severity,
        "description": f"The edge is interrupted in {len(boxes)} place(s), {deepest} px deep at most.",
        "confidence": round(min(0.99, 0.8 + deepest / 100), 2),
        "bounding_boxes": boxes,
    }


def irregularities(image: Image.Image) -> list[dict[str, int]]:
    """Return a box around each stretch where the lower edge of what is dark leaves the line that most of it is on."""
    dark = np.asarray(image.convert("L")) < 160
    columns = np.flatnonzero(dark.sum(axis=0) > 20)
    lowest = dark.shape[0] - 1 - np.argmax(dark[::-1, columns], axis=0)
    # The bolster ends above the edge: the blade is where steel reaches lower than it, and a notch is within the blade.
    blade = columns[lowest > np.median(lowest) - 4]
    inside = (columns >= blade.min()) & (columns <= blade.max())
    columns, lowest = columns[inside], lowest[inside]
    missing = _line(columns, lowest) - lowest
    off = columns[missing > _LEAST]
    boxes = []
    for run in np.split(off, np.flatnonzero(np.diff(off) > 3) + 1) if off.size else []:
        within = np.isin(columns, run)
        top, bottom = int(lowest[within].min()) + 1, round(float((lowest + missing)[within].max()))
        boxes.append({"x": int(run[0]), "y": top, "width": int(run[-1] - run[0]) + 1, "height": bottom - top + 1})
    return boxes


def _line(x: np.ndarray[Any, Any], y: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the line through most of the points (Theil and Sen: a third of them may lie anywhere)."""
    half = len(x) // 2
    slope = np.median((y[half : 2 * half] - y[:half]) / (x[half : 2 * half] - x[:half]))
    line: np.ndarray[Any, Any] = slope * x + np.median(y - slope * x)
    return line
