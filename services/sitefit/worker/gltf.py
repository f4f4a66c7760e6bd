"""A placement as a glTF binary: the parcel flat, the house as a block of one storey."""

from __future__ import annotations

from typing import Any

import numpy as np
import trimesh
from shapely import Polygon

from services.sitefit.worker.placement import Placement

STOREY = 3.0
"""The height of a house, in the units of its coordinates: the outlines tell none."""
_Y_UP = np.array([[1, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]], dtype=float)


def gltf(placement: Placement) -> bytes:
    """Return a GLB with the nodes ``parcel`` and ``house``; glTF's y is our height, its -z our y."""
    scene: Any = trimesh.Scene()
    scene.add_geometry(_flat(placement.parcel), node_name="parcel", geom_name="parcel")
    house = trimesh.creation.extrude_polygon(placement.house, STOREY)
    house.apply_translation((0, 0, placement.height))
    scene.add_geometry(house, node_name="house", geom_name="house")
    scene.apply_transform(_Y_UP)
    exported: bytes = scene.export(file_type="glb")
    return exported


def _flat(polygon: Polygon) -> trimesh.Trimesh:
    corners, faces = trimesh.creation.triangulate_polygon(polygon)
    return trimesh.Trimesh(np.column_stack([corners, np.zeros(len(corners))]), faces)
