"""What scenario files ask of Python: other people's readers of the artifacts, and a look at the database as the API."""

from __future__ import annotations

import hashlib
from typing import Any

import httpx
import numpy as np
import psycopg
from pygltflib import GLTF2
from shapely.geometry import shape


def read_geojson(url: str) -> dict[str, Any]:
    """Return the geometry of each feature, by its role."""
    document = httpx.get(url).raise_for_status().json()
    found: dict[str, Any] = {"crs": document["crs"]["properties"]["name"]}
    for feature in document["features"]:
        geometry = shape(feature["geometry"])
        bounds = list(geometry.bounds)
        found[feature["properties"]["role"]] = {"valid": geometry.is_valid, "area": geometry.area, "bounds": bounds}
    return found


def read_gltf(url: str) -> dict[str, Any]:
    """Return the names of the nodes, and the box around the house as it stands in the scene."""
    data = httpx.get(url).raise_for_status().content
    document = GLTF2.load_from_bytes(data)
    names = [node.name for node in document.nodes]
    house = document.nodes[names.index("house")]
    position = document.accessors[document.meshes[house.mesh].primitives[0].attributes.POSITION]
    corners = np.array(
        [[x, y, z, 1.0] for x in _span(position, 0) for y in _span(position, 1) for z in _span(position, 2)]
    )
    # glTF keeps matrices column by column
    matrix = _matrix(document, names.index("house"))
    placed = (matrix @ corners.T).T[:, :3]
    return {
        "version": document.asset.version,
        "nodes": names,
        "sha256": hashlib.sha256(data).hexdigest(),
        "house": {"low": placed.min(axis=0).tolist(), "high": placed.max(axis=0).tolist()},
    }


def _span(accessor: Any, axis: int) -> tuple[float, float]:
    return accessor.min[axis], accessor.max[axis]


def _matrix(document: GLTF2, index: int) -> np.ndarray[Any, Any]:
    own = document.nodes[index].matrix
    matrix = np.array(own).reshape(4, 4).T if own else np.eye(4)
    for number, node in enumerate(document.nodes):
        if node.children and index in node.children:
            above: np.ndarray[Any, Any] = _matrix(document, number)
            return above @ matrix
    return matrix


def status_without_signature(url: str) -> dict[str, int]:
    """Return the status for whoever has the address only."""
    return {"status": httpx.get(url.partition("?")[0]).status_code}


def as_the_api(database_url: str, statement: str) -> dict[str, str | None]:
    """Run a statement as the role that the API acts as; return the name of the error that it meets."""
    with psycopg.connect(database_url) as connection:
        connection.execute("SET ROLE sitefit_api")
        try:
            connection.execute(statement)  # type: ignore[call-overload]
        except psycopg.Error as error:
            return {"error": type(error).__name__}
    return {"error": None}


def post_jobs(url: str, count: int) -> dict[str, int]:
    """Post so many jobs, each with a seed of its own; return how many were taken."""
    square = [[0, 0], [20, 0], [20, 30], [0, 30], [0, 0]]
    with httpx.Client(base_url=url, timeout=30) as client:
        answers = [
            client.post(
                "/jobs/run",
                json={
                    "app_id": "e2e",
                    "definition": "sitefit",
                    "version": "1.0.0",
                    "inputs": {"crs": "EPSG:5514", "parcel": square, "house": square, "seed": seed},
                },
            )
            for seed in range(count)
        ]
    return {"accepted": sum(answer.status_code == 202 for answer in answers)}
