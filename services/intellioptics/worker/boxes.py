"""Boxes as arrays of (left, top, right, bottom), and how to keep one of many that show the same thing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def overlap(box: Floats, others: Floats) -> Floats:
    """Return intersection over union of ``box`` (4) with each of ``others`` (n, 4)."""
    left, top = np.maximum(box[0], others[:, 0]), np.maximum(box[1], others[:, 1])
    right, bottom = np.minimum(box[2], others[:, 2]), np.minimum(box[3], others[:, 3])
    shared = np.clip(right - left, 0, None) * np.clip(bottom - top, 0, None)
    area = (box[2] - box[0]) * (box[3] - box[1])
    areas = (others[:, 2] - others[:, 0]) * (others[:, 3] - others[:, 1])
    result: Floats = shared / np.maximum(area + areas - shared, 1e-9)
    return result


def keep_best(boxes: Floats, scores: Floats, limit: float) -> list[int]:
    """Return indices, best score first, dropping every box that overlaps a better one by more than ``limit``."""
    order = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    while order.size:
        best, order = order[0], order[1:]
        kept.append(int(best))
        order = order[overlap(boxes[best], boxes[order]) <= limit]
    return kept
