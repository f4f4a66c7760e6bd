"""What stands in front of every route of a service: correlation and request log, bearer token, body limit."""

from __future__ import annotations

import asyncio
import hmac
import json
import time
from contextlib import suppress

from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.shared.correlation import HEADER, correlated, correlation_id_or_new
from services.shared.logs import get_logger

log = get_logger()

# How much of a body that is refused is still read, in bytes and in seconds, for its sender to hear the answer.
_READ_AWAY = 32 * 1024 * 1024
_PATIENCE = 5.0


class RequestLog:
    """Gives every request a correlation id (the caller's, or a new one), returns it, and logs ``http.request``."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        correlation_id = correlation_id_or_new(Headers(scope=scope).get(HEADER))
        started = time.perf_counter()
        status = 500

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[HEADER] = correlation_id
            await send(message)

        with correlated(correlation_id):
            try:
                await self._app(scope, receive, send_with_id)
            except ClientDisconnect:
                status = 499  # nobody hears it: the client went away before all of its request was here
            finally:
                duration = round((time.perf_counter() - started) * 1000, 1)
                facts = {"method": scope["method"], "path": scope["path"], "status": status, "duration_ms": duration}
                if scope["path"] in ("/health", "/ready"):
                    log.debug("http.request", **facts)
                elif status >= 500:
                    log.error("http.request", **facts)
                else:
                    log.info("http.request", **facts)


class BearerToken:
    """Answers 401 to every request under ``prefix`` that does not bear ``token``, whether the path exists or not."""

    def __init__(self, app: ASGIApp, token: str, prefix: str) -> None:
        self._app = app
        self._expected = f"Bearer {token}".encode()
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and f"{scope['path']}/".startswith(f"{self._prefix}/"):
            scheme, _, token = Headers(scope=scope).get("authorization", "").partition(" ")
            given = f"{scheme.capitalize()} {token.strip()}".encode()
            if not hmac.compare_digest(given, self._expected):
                problem = "the bearer token is wrong" if token else "a bearer token is required"
                await answer(send, 401, problem, {"www-authenticate": "Bearer"})
                return
        await self._app(scope, receive, send)


class BodyLimit:
    """Answers 413 to a request whose body exceeds ``max_bytes``, announced or streamed, before it is parsed."""

    def __init__(self, app: ASGIApp, max_bytes: int, field: str | None = None) -> None:
        """``field``, where given, is named as what is too large."""
        self._app = app
        self._max_bytes = max_bytes
        problem = f"the request is larger than {max_bytes} bytes"
        self._detail = problem if field is None else [{"field": field, "problem": problem}]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "")
        if announced.isdecimal() and int(announced) > self._max_bytes:
            if "expect" not in Headers(scope=scope):
                await _read_away(receive)
            await answer(send, 413, self._detail, {"connection": "close"})
            return
        seen = 0
        refused = more = False

        async def counted() -> Message:
            nonlocal seen, refused, more
            message = await receive()
            seen += len(message.get("body", b""))
            more = message.get("more_body", False)
            if seen > self._max_bytes:
                refused = True
                raise _TooLargeError
            return message

        async def send_unless_refused(message: Message) -> None:
            if not refused:
                await send(message)

        with suppress(_TooLargeError):
            await self._app(scope, counted, send_unless_refused)
        if refused:
            if more:
                await _read_away(receive)
            await answer(send, 413, self._detail, {"connection": "close"})


def answer_when_database_is_away(app: Starlette) -> None:
    """Have every request that finds no database answered with 503: it can be repeated later."""
    from services.shared.database import UNAVAILABLE  # here: the driver is slow to load, and not every service has one

    async def unavailable(_request: Request, error: Exception) -> JSONResponse:
        log.error("api.database_unavailable", error=type(error).__name__)
        return JSONResponse(
            {"detail": "the database does not answer; try again"}, status_code=503, headers={"Retry-After": "1"}
        )

    for kind in UNAVAILABLE:
        app.add_exception_handler(kind, unavailable)


class _TooLargeError(Exception):
    """More of the body arrived than is allowed."""


async def _read_away(receive: Receive) -> None:
    """Take what a client still sends, within bounds: a connection that is closed on it would take the answer along."""
    seen = 0
    with suppress(TimeoutError):
        async with asyncio.timeout(_PATIENCE):
            while seen < _READ_AWAY:
                message = await receive()
                seen += len(message.get("body", b""))
                if not message.get("more_body", False):
                    return


async def answer(send: Send, status: int, detail: object, headers: dict[str, str]) -> None:
    """Answer with the status and the JSON ``{"detail": …}``."""
    body = json.dumps({"detail": detail}).encode()
    all_headers = {"content-type": "application/json", "content-length": str(len(body)), **headers}
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [(name.encode(), value.encode()) for name, value in all_headers.items()],
        }
    )
    await send({"type": "http.response.body", "body": body})
