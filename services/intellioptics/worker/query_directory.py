"""Asks the API how an image query stands."""

from __future__ import annotations

from urllib.parse import quote

import httpx

from services.shared.correlation import HEADER, current_correlation_id
from services.shared.outcomes import TransientFailure


class QueryDirectory:
    """Image queries by id, as the API knows them at this moment."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def is_answered(self, query_id: str) -> bool:
        """Return whether the query has its answer; one that the API does not know has none.

        Raises ``TransientFailure`` when the API does not answer as it should.
        """
        correlation_id = current_correlation_id()
        try:
            response = await self._client.get(
                f"v1/image-queries/{quote(query_id, safe='')}",
                headers={HEADER: correlation_id} if correlation_id else None,
            )
        except httpx.TransportError as error:
            raise TransientFailure(f"the API does not answer ({type(error).__name__})") from error
        if response.status_code == 404:
            return False
        if response.status_code != 200:
            raise TransientFailure(f"the API answered HTTP {response.status_code} about an image query")
        try:
            known = response.json()
            return bool(known["status"] == "DONE" and known.get("reason") != "unavailable")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise TransientFailure("the API's answer about an image query cannot be read") from error
