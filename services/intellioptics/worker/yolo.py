"""YOLO models exported to ONNX by Ultralytics: v8 and later, and v5 with its objectness."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from services.intellioptics.worker.boxes import keep_best
from services.intellioptics.worker.model import REPORT_FROM, Detection
from services.intellioptics.worker.question import PERSON

if TYPE_CHECKING:
    import onnxruntime
    from PIL import Image

_OVERLAP = 0.45
_DEFAULT_SIDE = 640
# The grey that these models were trained to see around a letterboxed image.
_PADDING = 114


class Yolo:
    """Adapter to one image input and one output of boxes by classes.

    The output is (1, 4 + classes, boxes), or (1, boxes, 5 + classes) with an objectness in fifth place. Class names
    come from the file's own metadata; without them class 0 is a person, as in COCO, and the rest are numbers.
    """

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self._session = session
        source = session.get_inputs()[0]
        self._input = source.name
        height, width = (side if isinstance(side, int) and side > 0 else _DEFAULT_SIDE for side in source.shape[2:])
        self._height, self._width = height, width
        self.side = max(height, width)
        self._names = _names(session)
        self.labels: Sequence[str] = tuple(self._names.values()) or (PERSON,)

    @staticmethod
    def fits(session: onnxruntime.InferenceSession) -> bool:
        """Whether ``session`` takes one image and puts out one table of boxes."""
        inputs, outputs = session.get_inputs(), session.get_outputs()
        return len(inputs) == 1 and len(inputs[0].shape) == 4 and len(outputs) == 1 and len(outputs[0].shape) == 3

    def detect(self, image: Image.Image) -> list[Detection]:
        """Return what the model sees in ``image``, overlapping boxes of one class reduced to the best."""
        width, height = image.size
        scale = min(self._width / width, self._height / height)
        resized = image.resize((max(1, round(width * scale)), max(1, round(height * scale))))
        left, top = (self._width - resized.width) // 2, (self._height - resized.height) // 2
        pixels = np.full((self._height, self._width, 3), _PADDING, np.float32)
        pixels[top : top + resized.height, left : left + resized.width] = np.asarray(resized)
        table = self._session.run(None, {self._input: pixels.transpose(2, 0, 1)[None] / np.float32(255)})[0][0]
        if table.shape[0] < table.shape[1]:
            table = table.T
            scores = table[:, 4:]
        else:
            scores = table[:, 5:] * table[:, 4:5]
        classes = scores.argmax(axis=1)
        best = scores.max(axis=1)
        wanted = best >= REPORT_FROM
        middle, size = table[wanted, :2], table[wanted, 2:4]
        corners = np.concatenate([middle - size / 2, middle + size / 2], axis=1)
        boxes = (corners - np.array([left, top, left, top], np.float32)) / np.float32(scale)
        boxes = np.clip(boxes, 0, np.array([width, height, width, height], np.float32))
        classes = classes[wanted]
        best = best[wanted]
        found = []
        for number in np.unique(classes):
            chosen = np.flatnonzero(classes == number)
            for index in chosen[keep_best(boxes[chosen].astype(np.float32), best[chosen].astype(np.float32), _OVERLAP)]:
                name = self._names.get(int(number), PERSON if number == 0 else str(number))
                found.append(Detection(name, float(best[index]), tuple(map(float, boxes[index]))))  # type: ignore[arg-type]
        return found


def _names(session: onnxruntime.InferenceSession) -> dict[int, str]:
    text = session.get_modelmeta().custom_metadata_map.get("names", "{}")
    try:
        names = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return {}
    return {int(number): str(name) for number, name in names.items()} if isinstance(names, dict) else {}
