"""What scenario files ask of Python."""

from __future__ import annotations

import json

import rfc8785

from fixtures.blades.draw import STORED, Notch, edge_at

Box = dict[str, int]


def canonical(text: str) -> dict[str, bool]:
    """Return whether a JSON text is written as RFC 8785 has it: the one text for what it says."""
    return {"canonical": rfc8785.dumps(json.loads(text)) == text.encode()}


def overlaps(image: str, boxes: list[Box]) -> dict[str, float]:
    """Return what a notch of a stored blade and the box found for it share at least, of what they cover together."""
    drawn = [_box(notch) for notch in STORED[image]]
    return {"least": min((_shared(*pair) for pair in zip(drawn, boxes, strict=True)), default=1.0)}


def _box(notch: Notch) -> Box:
    right = notch.x + notch.width - 1
    top, bottom = edge_at(right) - notch.depth + 1, edge_at(notch.x)
    return {"x": notch.x, "y": top, "width": notch.width, "height": bottom - top + 1}


def _shared(one: Box, other: Box) -> float:
    wide = min(one["x"] + one["width"], other["x"] + other["width"]) - max(one["x"], other["x"])
    high = min(one["y"] + one["height"], other["y"] + other["height"]) - max(one["y"], other["y"])
    both = max(0, wide) * max(0, high)
    return both / (one["width"] * one["height"] + other["width"] * other["height"] - both)
