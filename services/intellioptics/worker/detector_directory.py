"""Asks the API about detectors: the worker has no database of its own to disagree with."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

import httpx

from services.shared.correlation import HEADER, current_correlation_id
from services.shared.outcomes import TransientFailure


@dataclass(frozen=True, slots=True)
class Detector:
    """What the worker needs to know of a detector."""

    id: str
    query: str
    confidence_threshold: float


class DetectorNotFoundError(Exception):
    """There is no such detector, or it may not be used; the message says which."""


class DetectorDirectory:
    """Detectors by id, as the API knows them at this moment: one that is disabled must stop answering at once."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def resolve(self, detector_id: str) -> Detector:
        """Return the active detector with this id.

        Raises :class:`DetectorNotFoundError`, or ``TransientFailure`` when the API does not answer as it should:
        that includes a token it refuses, which a message cannot be blamed for.
        """
        correlation_id = current_correlation_id()
        try:
            response = await self._client.get(
                f"v1/detectors/{quote(detector_id, safe='')}",
                headers={HEADER: correlation_id} if correlation_id else None,
            )
        except httpx.TransportError as error:
            raise TransientFailure(f"the API does not answer ({type(error).__name__})") from error
        if response.status_code == 404:
            raise DetectorNotFoundError("unknown")
        if response.status_code != 200:
            raise TransientFailure(f"the API answered HTTP {response.status_code} about a detector")
        try:
            found = response.json()
            detector = Detector(found["id"], found["query"], float(found["confidence_threshold"]))
            status = found["status"]
        except (ValueError, KeyError, TypeError) as error:
            raise TransientFailure("the API's answer about a detector cannot be read") from error
        if status != "active":
            raise DetectorNotFoundError(f"it is {status}")
        return detector
