"""The solver of ``USE_COMPUTE=true``: a Grasshopper definition at a Rhino.Compute server.

``POST /grasshopper`` takes ``{"algo": null, "pointer": <definition>, "values": [<data tree>]}`` and answers
``{"values": [<data tree>], "errors": […], "warnings": […]}``. A data tree is one parameter:
``{"ParamName": "RH_IN:seed", "InnerTree": {"{0}": [{"type": "System.Int32", "data": "999"}]}}``; ``data`` is JSON in a string.
"""

from __future__ import annotations

import json
from typing import Any

import httpx

from services.shared.correlation import HEADER, current_correlation_id
from services.sitefit.appserver.solver import SolverFailedError, SolverUnavailableError

_IN, _OUT = "RH_IN:", "RH_OUT:"
_RESULTS = "results"
_TYPES = {bool: "System.Boolean", int: "System.Int32", float: "System.Double"}


def data_tree(name: str, value: Any) -> dict[str, Any]:
    """Return ``value`` as the input parameter ``name``; what is no number or truth value travels as JSON text."""
    kind = _TYPES.get(type(value), "System.String")
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    data = json.dumps(text) if kind == "System.String" else text
    return {"ParamName": f"{_IN}{name}", "InnerTree": {"{0}": [{"type": kind, "data": data}]}}


def read_tree(values: Any, name: str) -> list[Any]:
    """Return the items of the output parameter ``name`` of an answer, each as it was before it became text.

    Raises :class:`SolverFailedError` when the parameter is not there or holds no JSON.
    """
    for tree in values if isinstance(values, list) else ():
        if isinstance(tree, dict) and tree.get("ParamName") in (f"{_OUT}{name}", name):
            try:
                items = [json.loads(item["data"]) for branch in tree["InnerTree"].values() for item in branch]
                return [json.loads(item) if isinstance(item, str) else item for item in items]
            except (KeyError, TypeError, AttributeError, ValueError) as error:
                raise SolverFailedError(f"Rhino.Compute gave {_OUT}{name} in a form that cannot be read") from error
    raise SolverFailedError(f"Rhino.Compute gave no {_OUT}{name}")


class ComputeSolver:
    """A client of one Rhino.Compute server, whose definitions are named ``<definition>_<version>.gh``."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def solve(self, definition: str, version: str, inputs: dict[str, Any]) -> dict[str, Any]:
        """Have the definition solved there."""
        body = {
            "algo": None,
            "pointer": f"{definition}_{version}.gh",
            "values": [data_tree(name, value) for name, value in inputs.items()],
        }
        try:
            answer = await self._client.post("/grasshopper", json=body, headers=_headers())
        except httpx.TransportError as error:
            raise SolverUnavailableError(f"Rhino.Compute does not answer ({type(error).__name__})") from error
        if answer.status_code in (408, 429, 502, 503, 504):
            raise SolverUnavailableError(f"Rhino.Compute answered {answer.status_code}")
        try:
            document = answer.json()
        except ValueError:
            document = {}
        errors = document.get("errors") if isinstance(document, dict) else None
        if answer.status_code != 200 or errors:
            raise SolverFailedError(
                f"Rhino.Compute answered {answer.status_code}: {'; '.join(map(str, errors or ['no reason given']))}"
            )
        return {
            "results": read_tree(document.get("values") if isinstance(document, dict) else None, _RESULTS),
            "metadata": {
                "definition": definition,
                "version": version,
                "engine": {"mode": "compute", "name": "rhino.compute"},
            },
        }

    async def ready(self) -> None:
        """Ask the server's health check."""
        (await self._client.get("/healthcheck", timeout=2)).raise_for_status()


def _headers() -> dict[str, str]:
    correlation_id = current_correlation_id()
    return {HEADER: correlation_id} if correlation_id else {}
