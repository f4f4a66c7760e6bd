"""Vectors that depend on the text alone: texts with words in common are near each other."""

from __future__ import annotations

import base64
import hashlib
import math
import re
import struct
from typing import Any

from peeklock.standins.openai.reply import tokens


def embeddings(inputs: list[Any], dimensions: int, model: str, encoding: str) -> dict[str, Any]:
    """Return the body of an answer. `encoding` is `float` or `base64`, the latter what the `openai` package asks for."""
    used = sum(tokens(str(each)) for each in inputs)
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": _encoded(vector(str(each), dimensions), encoding)}
            for index, each in enumerate(inputs)
        ],
        "model": model,
        "usage": {"prompt_tokens": used, "total_tokens": used},
    }


def vector(text: str, dimensions: int) -> list[float]:
    """Return a vector of length 1: the sum of one for each word."""
    total = [0.0] * dimensions
    for word in re.findall(r"\w+", text.lower()) or [text]:
        seed = hashlib.shake_128(word.encode()).digest(2 * dimensions)
        for index in range(dimensions):
            total[index] += int.from_bytes(seed[2 * index : 2 * index + 2], "big") / 32767.5 - 1
    length = math.hypot(*total) or 1.0
    return [each / length for each in total]


def _encoded(values: list[float], encoding: str) -> Any:
    return base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode() if encoding == "base64" else values
