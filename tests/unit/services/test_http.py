from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import structlog
from fastapi import FastAPI, Request

from services.shared.health import health_routes
from services.shared.http import BearerToken, BodyLimit, RequestLog


def _app() -> FastAPI:
    async def answers() -> None: ...

    async def fails() -> None:
        raise ConnectionError("http://h?sig=S3cret refused\nand more")

    app = FastAPI()
    app.include_router(health_routes("svc", {"good": answers}))
    app.include_router(health_routes("svc", {"good": answers, "bad": fails}), prefix="/broken")

    @app.post("/v1/echo")
    async def echo(request: Request) -> dict[str, int]:
        return {"length": len(await request.body())}

    app.add_middleware(BodyLimit, max_bytes=100)
    app.add_middleware(BearerToken, token="right", prefix="/v1")
    app.add_middleware(RequestLog)
    return app


def _request(method: str, path: str, **kwargs: Any) -> httpx.Response:
    async def run() -> httpx.Response:
        transport = httpx.ASGITransport(_app())
        async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
            return await client.request(method, path, **kwargs)

    return asyncio.run(run())


RIGHT = {"authorization": "Bearer right"}


@pytest.mark.parametrize("header", [None, "Bearer wrong", "Basic right", "right", "Bearer", "Bearer rightly"])
@pytest.mark.parametrize("path", ["/v1/echo", "/v1/nothing", "/v1", "/v1/"])
def test_without_the_right_token_every_v1_path_answers_401(path: str, header: str | None) -> None:
    response = _request("POST", path, headers={"authorization": header} if header else None)
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"
    assert "bearer token" in response.json()["detail"]


def test_the_right_token_opens_v1_and_health_needs_none() -> None:
    assert _request("POST", "/v1/echo", headers=RIGHT, content=b"abc").json() == {"length": 3}
    assert _request("GET", "/health").json() == {"status": "ok", "service": "svc"}
    assert _request("GET", "/v10").status_code == 404


def test_a_body_that_announces_itself_too_large_is_refused() -> None:
    assert _request("POST", "/v1/echo", headers=RIGHT, content=b"x" * 101).status_code == 413
    assert _request("POST", "/v1/echo", headers=RIGHT, content=b"x" * 100).status_code == 200


def test_a_body_that_streams_on_is_refused_too() -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 10

    response = _request("POST", "/v1/echo", headers=RIGHT, content=endless())
    assert response.status_code == 413
    assert response.json() == {"detail": "the request is larger than 100 bytes"}


@pytest.mark.parametrize("announced", [True, False])
def test_whoever_is_refused_has_sent_all_of_it_before_the_answer(announced: bool) -> None:
    """A connection that is closed on a body on its way resets, and takes the answer along."""
    pieces = [{"type": "http.request", "body": b"x" * 60, "more_body": left > 0} for left in (3, 2, 1, 0)]
    left_at_the_answer: list[int] = []

    async def receive() -> Any:
        return pieces.pop(0)

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            assert message["status"] == 413
            left_at_the_answer.append(len(pieces))

    async def reads_all(scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["more_body"]:
            pass

    headers = [(b"content-length", b"240")] if announced else []
    scope = {"type": "http", "headers": headers}
    asyncio.run(BodyLimit(reads_all, max_bytes=100)(scope, receive, send))
    assert left_at_the_answer == [0]


def test_a_request_keeps_its_correlation_id_or_is_given_one(events: list[dict[str, object]]) -> None:
    assert _request("GET", "/health", headers={"x-correlation-id": "c-1"}).headers["x-correlation-id"] == "c-1"
    assert len(_request("GET", "/health").headers["x-correlation-id"]) == 32
    assert [event["event"] for event in events] == ["http.request", "http.request"]


def test_ready_names_every_dependency_and_shows_no_secret() -> None:
    assert _request("GET", "/ready").status_code == 200
    response = _request("GET", "/broken/ready")
    assert response.status_code == 503
    assert response.json() == {
        "status": "not ready",
        "checks": {"good": "ok", "bad": "ConnectionError: http://h?sig=[redacted] refused"},
    }


def test_a_client_that_goes_away_in_mid_request_is_no_error_of_the_service() -> None:
    """Whoever looks for errors in the logs must not find the deaths of others there."""
    headers = [(b"authorization", b"Bearer right"), (b"content-length", b"9")]
    scope = {"type": "http", "method": "POST", "path": "/v1/echo", "query_string": b"", "headers": headers}
    arriving = iter([{"type": "http.request", "body": b"half", "more_body": True}, {"type": "http.disconnect"}])
    sent = []

    async def receive() -> Any:
        return next(arriving)

    async def send(message: Any) -> None:
        sent.append(message)

    with structlog.testing.capture_logs() as logs:
        asyncio.run(_app()(scope, receive, send))
    assert sent == []
    assert [(entry["event"], entry["log_level"], entry["status"]) for entry in logs] == [("http.request", "info", 499)]
