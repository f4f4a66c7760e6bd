"""The geometry of a result: where the house stands on its parcel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from shapely import Polygon
from shapely.affinity import rotate, translate


@dataclass(frozen=True, slots=True)
class Placement:
    """Parcel and house in the coordinates of ``crs``, the house turned about the origin first, and moved then."""

    crs: str
    result_id: str
    score: float
    parcel: Polygon
    house: Polygon
    height: float
    """Of the ground under the house, in the units of ``crs``."""


def placement_of(inputs: dict[str, Any], outputs: dict[str, Any]) -> Placement:
    """Return the placement that the first, which is the best, of the results describes."""
    best = outputs["results"][0]
    rotation, shift = best["transform"]["rotation"], best["transform"]["translation"]
    turned = rotate(Polygon(inputs["house"]), rotation["value"], origin=(0, 0))
    return Placement(
        crs=inputs["crs"],
        result_id=best["id"],
        score=best["score"],
        parcel=Polygon(inputs["parcel"]),
        house=translate(turned, shift["x"], shift["y"]),
        height=shift["z"],
    )
