"""The stand-in as a program; ``COMPUTE_API_KEY`` is asked for when it is set."""

from __future__ import annotations

import hmac
import json
from typing import Annotated, Any

from fastapi import FastAPI, Header, HTTPException
from pydantic import BaseModel, SecretStr
from shapely import Polygon
from shapely.affinity import translate

from services.shared.http import RequestLog
from services.shared.logs import configure_logs
from services.shared.server import serve
from services.shared.settings import ServerSettings, settings_or_exit

SERVICE = "sitefit-compute"


class ComputeSettings(ServerSettings):
    """Nothing is required."""

    compute_api_key: SecretStr | None = None


class Item(BaseModel):
    """One value of a branch; ``data`` is JSON in a string."""

    type: str
    data: str


class DataTree(BaseModel):
    """One parameter: its branches by path."""

    ParamName: str
    InnerTree: dict[str, list[Item]]


class Solve(BaseModel):
    """The body of ``POST /grasshopper``."""

    algo: str | None = None
    pointer: str | None = None
    values: list[DataTree]


def place(inputs: dict[str, Any]) -> dict[str, Any]:
    """Put the middle of the house over the middle of the parcel; the score is how much of it lies inside, of 100."""
    parcel, house = Polygon(inputs["parcel"]), Polygon(inputs["house"])
    x, y = parcel.centroid.x - house.centroid.x, parcel.centroid.y - house.centroid.y
    inside = translate(house, x, y).intersection(parcel).area / house.area
    return {
        "id": f"result-{inputs['seed']}",
        "score": round(100 * inside, 3),
        "transform": {
            "rotation": {"axis": "z", "value": 0},
            "translation": {"x": round(x, 6), "y": round(y, 6), "z": 0},
        },
    }


def build_app(settings: ComputeSettings) -> FastAPI:
    """Return the application."""
    app = FastAPI(title="A stand-in for Rhino.Compute")
    app.add_middleware(RequestLog)

    @app.get("/healthcheck")
    async def healthcheck() -> str:
        return "healthy"

    @app.post("/grasshopper")
    async def grasshopper(body: Solve, rhinocomputekey: Annotated[str, Header()] = "") -> dict[str, Any]:
        key = settings.compute_api_key
        if key is not None and not hmac.compare_digest(rhinocomputekey.encode(), key.get_secret_value().encode()):
            raise HTTPException(401, "the RhinoComputeKey is missing or wrong")
        if body.pointer != "sitefit_1.0.0.gh":
            return {"values": [], "errors": [f"Unable to load grasshopper definition {body.pointer}"], "warnings": []}
        inputs = {
            tree.ParamName.removeprefix("RH_IN:"): _value(item)
            for tree in body.values
            for branch in tree.InnerTree.values()
            for item in branch
        }
        item = {"type": "System.String", "data": json.dumps(json.dumps(place(inputs)))}
        return {
            "values": [{"ParamName": "RH_OUT:results", "InnerTree": {"{0}": [item]}}],
            "errors": [],
            "warnings": [],
        }

    return app


def _value(item: Item) -> Any:
    value = json.loads(item.data)
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)  # a list, which travels as text
    except ValueError:
        return value


def main() -> None:
    """Read the settings, or exit 78; then serve."""
    settings = settings_or_exit(ComputeSettings, SERVICE)
    configure_logs(SERVICE, settings.log_level)
    serve(build_app(settings), host=settings.host, port=settings.port, grace=settings.shutdown_grace_seconds)
