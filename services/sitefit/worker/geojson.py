"""A placement as GeoJSON, in its own coordinates.

RFC 7946 knows only WGS 84, and lets parties that have agreed use others: the `crs` member of the 2008 format says which, as
QGIS, GDAL and PostGIS read it.
"""

from __future__ import annotations

import json
from typing import Any

from shapely import Polygon
from shapely.geometry import mapping
from shapely.geometry.polygon import orient

from services.sitefit.worker.placement import Placement


def geojson(placement: Placement) -> bytes:
    """Return a feature collection of the parcel and the placed house."""
    authority, _, code = placement.crs.partition(":")
    document = {
        "type": "FeatureCollection",
        "crs": {"type": "name", "properties": {"name": f"urn:ogc:def:crs:{authority}::{code}"}},
        "features": [
            _feature(placement.parcel, {"role": "parcel"}),
            _feature(placement.house, {"role": "house", "result_id": placement.result_id, "score": placement.score}),
        ],
    }
    return json.dumps(document, separators=(",", ":")).encode()


def _feature(polygon: Polygon, properties: dict[str, Any]) -> dict[str, Any]:
    # the outer ring runs against the clock, and the ninth digit after the point is a nanometre
    geometry = mapping(orient(polygon))
    rings = [[[round(x, 9), round(y, 9)] for x, y in ring] for ring in geometry["coordinates"]]
    return {"type": "Feature", "properties": properties, "geometry": {"type": "Polygon", "coordinates": rings}}
