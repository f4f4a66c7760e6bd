"""CenterFace: faces, from four maps at a quarter of the input's resolution.

Xu, Yan et al., "CenterFace: Joint Face Detection and Alignment Using Face as Point", 2019. A person whose face does not
show is not seen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from services.intellioptics.worker.boxes import Floats, keep_best
from services.intellioptics.worker.model import REPORT_FROM, Detection
from services.intellioptics.worker.question import PERSON

if TYPE_CHECKING:
    import onnxruntime
    from PIL import Image

_STRIDE = 4
# The network halves its input five times.
_MULTIPLE = 32
_OVERLAP = 0.3


class CenterFace:
    """Adapter to a CenterFace model with a dynamic input size."""

    labels: Sequence[str] = (PERSON,)
    side = 320

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self._session = session
        self._input = session.get_inputs()[0].name

    @staticmethod
    def fits(session: onnxruntime.InferenceSession) -> bool:
        """Whether ``session`` puts out a heat map, sizes, offsets and landmarks."""
        channels = [output.shape[1] if len(output.shape) == 4 else None for output in session.get_outputs()]
        return channels == [1, 2, 2, 10]

    def detect(self, image: Image.Image) -> list[Detection]:
        """Return the faces in ``image``."""
        width, height = image.size
        scale = self.side / max(width, height)
        resized = image.resize((max(1, round(width * scale)), max(1, round(height * scale))))
        pixels = np.zeros((_rounded_up(resized.height), _rounded_up(resized.width), 3), np.float32)
        pixels[: resized.height, : resized.width] = np.asarray(resized)
        heat, sizes, offsets, _ = self._session.run(None, {self._input: pixels.transpose(2, 0, 1)[None]})
        boxes, scores = _decode(heat[0, 0], sizes[0], offsets[0])
        boxes = np.clip(boxes / np.float32(scale), 0, np.array([width, height, width, height], np.float32))
        return [
            Detection(PERSON, float(scores[index]), tuple(map(float, boxes[index])))  # type: ignore[arg-type]
            for index in keep_best(boxes, scores, _OVERLAP)
        ]


def _decode(heat: Floats, sizes: Floats, offsets: Floats) -> tuple[Floats, Floats]:
    """Return boxes (n, 4), in input pixels, and scores of every point of the heat map worth reporting."""
    rows, columns = np.nonzero(heat >= REPORT_FROM)
    heights = np.exp(sizes[0, rows, columns]) * _STRIDE
    widths = np.exp(sizes[1, rows, columns]) * _STRIDE
    middle_y = (rows + offsets[0, rows, columns] + 0.5) * _STRIDE
    middle_x = (columns + offsets[1, rows, columns] + 0.5) * _STRIDE
    boxes = np.stack(
        [middle_x - widths / 2, middle_y - heights / 2, middle_x + widths / 2, middle_y + heights / 2], axis=1
    )
    return boxes.astype(np.float32), heat[rows, columns].astype(np.float32)


def _rounded_up(length: int) -> int:
    return math.ceil(length / _MULTIPLE) * _MULTIPLE
