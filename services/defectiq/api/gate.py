"""What stands in front of the API's routes: the address's limit, the key, the key's limit, in this order."""

from __future__ import annotations

import hmac

from azure.core.exceptions import AzureError
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from services.defectiq.api.rate_limit import RateLimit
from services.defectiq.grants import ACCOUNT, BLOBS, told
from services.shared.http import answer
from services.shared.logs import get_logger

HEADER = "x-api-key"

log = get_logger()


class Gate:
    """Lets a request under ``prefix`` pass when it bears one of ``keys`` and neither its address nor its key has spent
    its minute: 401, 429 with ``Retry-After``, or 503 when the storage that counts does not answer.

    The address comes first, so that guessing keys is limited too. The limits are read from ``app.state.limits``.
    """

    def __init__(self, app: ASGIApp, *, prefix: str, keys: tuple[str, ...]) -> None:
        self._app = app
        self._prefix = prefix
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not f"{scope['path']}/".startswith(f"{self._prefix}/"):
            await self._app(scope, receive, send)
            return
        by_address, by_key = scope["app"].state.limits
        client = scope.get("client")
        if await self._is_spent(by_address, client[0] if client else "", send):
            return
        given = Headers(scope=scope).get(HEADER, "")
        if not any(hmac.compare_digest(given.encode(), key.encode()) for key in self._keys):
            problem = "the API key is wrong" if given else f"an API key is required ({HEADER})"
            await answer(send, 401, problem, {})
            return
        if not await self._is_spent(by_key, given, send):
            await self._app(scope, receive, send)

    async def _is_spent(self, limit: RateLimit, who: str, send: Send) -> bool:
        try:
            wait = await limit.admit(who)
        except (AzureError, OSError) as error:
            log.warning("api.limits_unavailable", error=told(error, BLOBS, ACCOUNT))
            await answer(send, 503, "the storage does not answer; try again", {"retry-after": "1"})
            return True
        if wait:
            log.info("api.limited", kind=limit.kind, retry_after=wait)
            problem = f"more than {limit.most} requests a minute by this {limit.kind}"
            await answer(send, 429, problem, {"retry-after": str(wait)})
        return wait > 0
