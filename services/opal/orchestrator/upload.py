"""Uploads a picture by its SAS URL, and tries again for as long as it was told to."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import httpx

from services.shared.logs import get_logger
from services.shared.outcomes import TransientFailure

log = get_logger()

_THERE = frozenset({409, 412})
_TRANSIENT_STATUS = frozenset({408, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Uploader:
    """Makes ``attempts``; waits ``pause`` seconds before the second, twice as long before each further, ``longest`` at most."""

    client: httpx.AsyncClient
    attempts: int
    pause: float
    longest: float

    async def put(self, url: str, data: bytes, content_type: str) -> None:
        """Write the blob unless it is there: what was written first stays, for it may have been exported already.

        Raises ``TransientFailure`` once the attempts are spent, or at once where the storage refuses.
        """
        headers = {"x-ms-blob-type": "BlockBlob", "content-type": content_type, "if-none-match": "*"}
        for attempt in range(1, self.attempts + 1):
            try:
                answer = await self.client.put(url, content=data, headers=headers)
                problem = f"HTTP {answer.status_code}"
                if answer.is_success or answer.status_code in _THERE:
                    return
                if answer.status_code not in _TRANSIENT_STATUS:
                    raise TransientFailure(f"the storage refuses the upload: {problem}")
            except httpx.TransportError as error:
                problem = type(error).__name__
            if attempt < self.attempts:
                wait = min(self.pause * 2 ** (attempt - 1), self.longest)
                log.warning("upload failed", attempt=attempt, problem=problem, retry_in=wait)
                await asyncio.sleep(wait)
        raise TransientFailure(f"upload failed {self.attempts} times, last: {problem}")
