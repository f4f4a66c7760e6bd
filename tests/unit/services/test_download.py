from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import httpx
import pytest

from services.shared.download import Downloader, DownloadRefusedError
from services.shared.outcomes import TransientFailure

Answer = Callable[[httpx.Request], httpx.Response]


def _fetch(answer: Answer, max_bytes: int = 1000, url: str = "http://h/b?sig=S3cret") -> bytes:
    async def run() -> bytes:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
            return await Downloader(client, max_bytes, timeout=5, pauses=(0.001, 0.001)).fetch(url)

    return asyncio.run(run())


def test_the_body_comes_back_whole() -> None:
    assert _fetch(lambda _: httpx.Response(200, content=b"abc")) == b"abc"


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 409, 410])
def test_a_refusal_is_final_and_asked_for_once(status: int) -> None:
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(status, headers={"x-ms-error-code": "SomeCode", "location": "http://elsewhere"})

    with pytest.raises(DownloadRefusedError) as caught:
        _fetch(answer)
    assert (caught.value.status, caught.value.code, len(asked)) == (status, "SomeCode", 1)
    assert "S3cret" not in str(caught.value)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_busy_service_is_asked_again_and_then_the_failure_is_transient(status: int) -> None:
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(status)

    with pytest.raises(TransientFailure, match=f"3 times, last: HTTP {status}"):
        _fetch(answer)
    assert len(asked) == 3


def test_a_reset_connection_is_mended_by_the_next_attempt() -> None:
    answers = iter([httpx.ReadError("reset"), httpx.Response(200, content=b"abc")])

    def answer(_request: httpx.Request) -> httpx.Response:
        given = next(answers)
        if isinstance(given, Exception):
            raise given
        return given

    assert _fetch(answer) == b"abc"


def test_a_body_larger_than_allowed_is_left_before_it_is_read_to_the_end() -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 100
            yield b"x" * 100

    with pytest.raises(DownloadRefusedError, match="larger than 1000 bytes"):
        _fetch(lambda _: httpx.Response(200, content=endless()))
    assert sent < 2000


def test_a_url_that_cannot_be_read_is_final() -> None:
    with pytest.raises(DownloadRefusedError):
        _fetch(lambda _: httpx.Response(200), url="http://[::1/b")
