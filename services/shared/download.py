"""Download by SAS URL with bounded memory and time, telling what a retry can mend from what it cannot."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import httpx

from services.shared.outcomes import TransientFailure

# Statuses that say "not now" rather than "no".
_TRANSIENT_STATUS = frozenset({408, 429, 500, 502, 503, 504})


class DownloadRefusedError(Exception):
    """The blob will never be readable by this URL: refused, gone, moved or larger than allowed.

    ``status`` is the HTTP status. What is decided here is decided on it alone: the error *codes* of storage services
    differ (``AuthorizationFailure``, ``AuthenticationFailed``) where the status does not.
    """

    def __init__(self, status: int, problem: str, code: str | None = None) -> None:
        super().__init__(problem)
        self.status = status
        self.code = code


@dataclass(frozen=True, slots=True)
class Downloader:
    """Fetches small objects. ``pauses`` are the seconds waited before each further attempt at a transient failure."""

    client: httpx.AsyncClient
    max_bytes: int
    timeout: float
    pauses: tuple[float, ...] = (0.05, 0.2)

    async def fetch(self, url: str, patience: float | None = None) -> bytes:
        """Return the body at ``url``; ``patience`` (seconds) bounds one attempt, and may only shorten the default.

        Raises :class:`DownloadRefusedError` for what is final and ``TransientFailure`` when every attempt met a 5xx,
        a broken connection or silence.
        """
        limit = min(self.timeout, patience) if patience else self.timeout
        problem = ""
        for pause in (0.0, *self.pauses):
            if pause:
                await asyncio.sleep(pause)
            try:
                async with asyncio.timeout(limit):
                    return await self._attempt(url)
            except _TryAgainError as error:
                problem = str(error)
            except TimeoutError:
                problem = f"no complete answer within {limit:g} s"
            except httpx.TransportError as error:
                problem = type(error).__name__
            except httpx.InvalidURL:
                raise DownloadRefusedError(0, "the URL cannot be read") from None
        raise TransientFailure(f"download failed {1 + len(self.pauses)} times, last: {problem}")

    async def _attempt(self, url: str) -> bytes:
        async with self.client.stream("GET", url, follow_redirects=False) as response:
            if response.status_code in _TRANSIENT_STATUS:
                raise _TryAgainError(f"HTTP {response.status_code}")
            if response.status_code != 200:
                code = response.headers.get("x-ms-error-code")
                raise DownloadRefusedError(response.status_code, f"HTTP {response.status_code}", code)
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > self.max_bytes:
                    raise DownloadRefusedError(200, f"larger than {self.max_bytes} bytes")
            return bytes(body)


class _TryAgainError(Exception):
    """The service answered that it cannot answer now."""
