"""What scenario files ask of Python."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psycopg
from azure.storage.blob import ContainerClient
from PIL import Image
from psycopg import sql
from psycopg.rows import dict_row

from fixtures.products import draw


def look(connection_string: str, container: str, blob: str, places: dict[str, list[int]]) -> dict[str, Any]:
    """Return the size and kind of a stored picture, and what its pixels are at each of the named places.

    A pixel is ``clear``, or the nearest of the colours that the mug is drawn in.
    """
    with ContainerClient.from_connection_string(connection_string, container) as client:
        data = client.download_blob(blob).readall()
    with Image.open(io.BytesIO(data)) as picture:
        pixels = picture.convert("RGBA")
        seen = {name: _named(pixels.getpixel((x, y))) for name, (x, y) in places.items()}
        return {"kind": picture.format, "mode": picture.mode, "size": list(picture.size), "seen": seen}


_COLOURS = {"page": (240, 240, 240), "white": (255, 255, 255), "body": (200, 30, 40), "mark": (20, 60, 200)}


def _named(pixel: Any) -> str:
    if pixel[3] == 0:
        return "clear"
    return min(_COLOURS, key=lambda name: sum(abs(a - b) for a, b in zip(_COLOURS[name], pixel, strict=False)))


def as_role(database_url: str, role: str, tenant: str, query: str) -> dict[str, Any]:
    """Run a query as one of OPAL's roles, in the sight of one tenant (or of none); return its rows, or how it is refused."""
    with psycopg.connect(database_url, row_factory=dict_row) as connection:
        connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
        connection.execute("SELECT set_config('opal.tenant_id', %s, true)", (tenant,))
        try:
            found = connection.execute(query)  # type: ignore[call-overload]  # the scenario's own words
            return {"rows": found.fetchall() if found.description else [], "count": found.rowcount, "refused": None}
        except psycopg.Error as error:
            return {"rows": [], "count": 0, "refused": type(error).__name__}


def run_items(url: str, keys: dict[str, str], each: int) -> dict[str, Any]:
    """Open a job of so many items for each tenant, upload and complete all of them at once; return how many were taken."""
    picture = (Path(draw.__file__).parent / "mug.png").read_bytes()

    def one(tenant: str) -> int:
        names = [f"mug-{number}.png" for number in range(each)]
        with httpx.Client(base_url=url, headers={"authorization": f"Bearer {keys[tenant]}"}, timeout=60) as client:
            job = client.post(
                "/v1/jobs",
                json={
                    "tenant_id": tenant,
                    "brand_profile_id": "nordic",
                    "items": [{"filename": name} for name in names],
                },
            ).json()
            taken = 0
            for item in job["items"]:
                key = {"tenant_id": tenant, "job_id": job["job_id"], "item_id": item["item_id"]}
                place = client.post(
                    "/v1/uploads/sas", json={**key, "filename": item["filename"], "content_type": "image/png"}
                ).json()["upload_url"]
                httpx.put(
                    place, content=picture, headers={"x-ms-blob-type": "BlockBlob"}, timeout=30
                ).raise_for_status()
                taken += client.post("/v1/uploads/complete", json=key).status_code == 200
            return taken

    with ThreadPoolExecutor(len(keys)) as pool:
        return {"taken": sum(pool.map(one, keys))}


def bills(url: str, token: str, tenants: list[str]) -> dict[str, int]:
    """Return how many items each tenant is billed for."""
    with httpx.Client(base_url=url, headers={"authorization": f"Bearer {token}"}) as client:
        return {tenant: client.get(f"/v1/bills/{tenant}").json()["items"] for tenant in tenants}


def complete(url: str, key: str, job: str, item: str) -> dict[str, int | None]:
    """Complete an upload at an API that may not live to answer; return the status, or None when none came."""
    try:
        answer = httpx.post(
            f"{url}/v1/uploads/complete",
            headers={"authorization": f"Bearer {key}"},
            json={"tenant_id": "acme", "job_id": job, "item_id": item},
            timeout=20,
        )
    except httpx.TransportError:
        return {"status": None}
    return {"status": answer.status_code}
