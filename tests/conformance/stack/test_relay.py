"""The relay: what each fault does to real connections."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from peeklock.stack.faults import KINDS
from peeklock.stack.relay.listener import HOST, RelayListener
from peeklock.stack.relay.postgres.transaction import Transaction

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
BODY = bytes(range(256)) * 40


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
    await ended(writer)


async def ended(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


async def web(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers `/chunked` in chunks, `/empty` with 204, POSTs with what came, everything else with BODY."""
    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
            )
            if b"100-continue" in head:
                writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            sent = await reader.readexactly(length)
            if head.startswith(b"GET /chunked"):
                writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                writer.write(b"%x\r\n" % len(BODY) + BODY + b"\r\n3;x=y\r\nend\r\n0\r\n\r\n")
            elif head.startswith(b"GET /empty"):
                writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
            else:
                body = sent if head.startswith(b"POST") else BODY
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
                writer.write(b"" if head.startswith(b"HEAD") else body)
    await ended(writer)


class Notes:
    """Implements `listener.Hearer`."""

    def __init__(self, told: list[str]) -> None:
        self._told = told

    def tell(self, _target: str, _at: float, text: str) -> None:
        self._told.append(text)

    def count(self, _target: str, _method: str, _path: str) -> None: ...

    def saw(self, _target: str, _service: str, _transaction: Transaction) -> None: ...

    def unread(self, _target: str, _service: str, _why: str) -> None: ...


class Place:
    """A target and a listener in front of it."""

    def __init__(self, listener: RelayListener, told: list[str]) -> None:
        self.listener, self.told = listener, told
        self.connections: list[Streams] = []

    async def fault(self, kind: str, times: int | None = None, seconds: float | None = None, **settings: Any) -> None:
        await self.listener.begin(KINDS[kind].model_construct(**settings), times, seconds)

    async def connect(self) -> Streams:
        self.connections.append(await asyncio.open_connection(HOST, self.listener.doors[""]))
        return self.connections[-1]


@asynccontextmanager
async def place(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]],
) -> AsyncIterator[Place]:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    served: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.add(asyncio.ensure_future(serve(reader, writer)))

    server = await asyncio.start_server(accept, HOST, 0)
    told: list[str] = []
    target = server.sockets[0].getsockname()[1]
    listener = RelayListener("x", {"": port}, target, "http" if serve is web else "bytes", Notes(told))
    await listener.open()
    there = Place(listener, told)
    try:
        async with asyncio.timeout(20):
            yield there
    finally:
        for _, writer in there.connections:
            await ended(writer)
        await listener.close()
        server.close()
        await asyncio.gather(*served)


async def said(streams: Streams, data: bytes) -> bytes:
    streams[1].write(data)
    return await streams[0].readexactly(len(data))


def now() -> float:
    return asyncio.get_running_loop().time()


def test_without_faults_bytes_go_through_both_ways_until_an_end_closes() -> None:
    async def check() -> None:
        async with place(echo) as there:
            streams = await there.connect()
            assert await said(streams, BODY * 30) == BODY * 30
            streams[1].write_eof()
            assert await streams[0].read() == b""

    asyncio.run(check())


def test_latency_makes_answers_late_on_connections_that_are_there_and_ends_with_its_time() -> None:
    async def check() -> None:
        async with place(echo) as there:
            streams = await there.connect()
            await said(streams, b"a")
            await there.fault("latency", delay=0.3, jitter=0.0)
            began = now()
            assert await said(streams, BODY * 30) == BODY * 30
            assert 0.29 < now() - began < 2, "once for all of it, not once for each piece"
            await there.listener.end()
            await there.fault("latency", seconds=0.2, delay=15.0, jitter=0.0)
            assert await said(streams, b"b") == b"b", "what was held back goes on when the fault is over"
            assert there.told == [
                "fault latency begins", "fault latency ends, struck 1 connections",
                "fault latency begins", "fault latency ends, struck 1 connections",
            ]  # fmt: skip

    asyncio.run(check())


def test_bandwidth_bounds_the_rate() -> None:
    async def check() -> None:
        async with place(echo) as there:
            await there.fault("bandwidth", rate=20_000)
            began = now()
            streams = await there.connect()
            assert await said(streams, BODY) == BODY
            assert now() - began > 0.45

    asyncio.run(check())


def test_timeout_is_silence_and_then_the_end() -> None:
    async def check() -> None:
        async with place(echo) as there:
            streams = await there.connect()
            await there.fault("timeout", after=0.2)
            streams[1].write(b"a")
            assert await streams[0].read() == b""
            await there.listener.end()
            streams = await there.connect()
            await there.fault("timeout", seconds=0.2, after=None)
            assert await said(streams, b"b") == b"b"

    asyncio.run(check())


def test_reset_peer_breaks_as_many_connections_as_it_is_told() -> None:
    async def check() -> None:
        async with place(echo) as there:
            old = await there.connect()
            await said(old, b"a")
            await there.fault("reset_peer", times=2, after=0.0)
            with pytest.raises(ConnectionResetError):
                await old[0].read()
            new = await there.connect()
            with pytest.raises(ConnectionResetError):
                await new[0].read()
            third = await there.connect()
            assert await said(third, b"b") == b"b"
            assert await there.listener.end() == 2

    asyncio.run(check())


@pytest.mark.parametrize("of", ["answers", "both"])
def test_limit_data_cuts_at_exactly_that_byte(of: str) -> None:
    async def check() -> None:
        async with place(echo) as there:
            streams = await there.connect()
            await said(streams, b"before")
            await there.fault("limit_data", times=1, after=1000 if of == "answers" else 1800, of=of)
            streams[1].write(b"x" * 900)
            assert await streams[0].readexactly(900) == b"x" * 900
            if of == "answers":
                streams[1].write(b"y" * 900)
                assert await streams[0].read() == b"y" * 100
            else:
                assert await streams[0].read() == b""
            again = await there.connect()
            assert await said(again, BODY) == BODY

    asyncio.run(check())


def test_down_refuses_until_it_is_over() -> None:
    async def check() -> None:
        async with place(echo) as there:
            streams = await there.connect()
            await said(streams, b"a")
            await there.fault("down")
            with pytest.raises(ConnectionResetError):
                await streams[0].read()
            with pytest.raises(ConnectionRefusedError):
                await there.connect()
            await there.fault("down")
            assert await there.listener.end() == 1
            streams = await there.connect()
            assert await said(streams, b"b") == b"b"

    asyncio.run(check())


def test_whoever_comes_while_the_target_is_gone_sees_it() -> None:
    async def check() -> None:
        async with place(echo) as there:
            there.listener.target = 1
            streams = await there.connect()
            with contextlib.suppress(ConnectionResetError):
                assert await streams[0].read() == b""

    asyncio.run(check())


def http(check: Callable[[Place, httpx.AsyncClient], Awaitable[None]]) -> None:
    async def run() -> None:
        async with (
            place(web) as there,
            httpx.AsyncClient(
                base_url=f"http://{HOST}:{there.listener.doors['']}", trust_env=False, timeout=10
            ) as client,
        ):
            await check(there, client)

    asyncio.run(run())


def test_http_without_faults_goes_through_one_connection() -> None:
    async def check(there: Place, client: httpx.AsyncClient) -> None:
        for _ in range(3):
            assert (await client.get("/a")).content == BODY
            assert (await client.get("/chunked")).content == BODY + b"end"
            assert (await client.get("/empty")).status_code == 204
            assert (await client.head("/a")).headers["content-length"] == str(len(BODY))
            assert (await client.post("/a", content=BODY * 20)).content == BODY * 20
            assert (await client.post("/a", content=b"abc", headers={"expect": "100-continue"})).content == b"abc"
        assert len(there.listener.connections) == 1

    http(check)


def test_what_is_no_http_goes_through_as_it_is() -> None:
    async def check() -> None:
        async with place(echo) as there:
            there.listener.http = True
            streams = await there.connect()
            assert await said(streams, b"\x00\x01 no request\r\n\r\n" + BODY) == b"\x00\x01 no request\r\n\r\n" + BODY

    asyncio.run(check())


def test_an_upgrade_hands_the_connection_over() -> None:
    async def upgrade(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n")
        await echo(reader, writer)

    async def check() -> None:
        async with place(upgrade) as there:
            there.listener.http = True
            reader, writer = streams = await there.connect()
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n")
            assert b"101" in await reader.readuntil(b"\r\n\r\n")
            assert await said(streams, BODY) == BODY

    asyncio.run(check())


def test_a_body_without_a_length_ends_with_its_connection() -> None:
    async def old(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.0 200 OK\r\n\r\n" + BODY)
        await ended(writer)

    async def check() -> None:
        async with place(old) as there, httpx.AsyncClient(trust_env=False, timeout=10) as client:
            there.listener.http = True
            assert (await client.get(f"http://{HOST}:{there.listener.doors['']}/")).content == BODY

    asyncio.run(check())


def test_a_status_is_answered_as_often_as_said_and_only_to_the_requests_meant() -> None:
    """The target does not see them; the connection goes on; the log tells of no query, in which there may be a signature."""

    async def check(there: Place, client: httpx.AsyncClient) -> None:
        await there.fault(
            "status", times=2, code=503, body="not now", headers={"retry-after": "1"}, method="GET", path="/a"
        )
        assert (await client.post("/a", content=b"x")).status_code == 200
        assert (await client.get("/b")).status_code == 200
        for _ in range(2):
            refused = await client.get("/a?sig=secret")
            assert (refused.status_code, refused.text, refused.headers["retry-after"]) == (503, "not now", "1")
        assert (await client.get("/a")).status_code == 200
        assert len(there.listener.connections) == 1
        assert there.told[1] == "fault status: GET /a answered 503"
        assert await there.listener.end() == 2

    http(check)


def test_a_status_is_not_spent_on_a_request_that_was_there_before_it() -> None:
    async def check(there: Place, client: httpx.AsyncClient) -> None:
        reader, writer = await there.connect()
        writer.write(b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        assert b" 100 " in await reader.readuntil(b"\r\n\r\n")  # the target has it
        await there.fault("status", times=1, code=503)
        writer.write(b"abc")
        assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
        assert (await client.get("/a")).status_code == 503
        assert await there.listener.end() == 1

    http(check)


async def cut_off(client: httpx.AsyncClient, path: str) -> bytes:
    got = b""
    with contextlib.suppress(httpx.RemoteProtocolError):
        async with client.stream("GET", path) as response:
            async for piece in response.aiter_raw():
                got += piece
        raise AssertionError("it came whole")
    return got


@pytest.mark.parametrize("path", ["/a", "/chunked"])
def test_truncate_closes_in_the_middle_of_a_body(path: str) -> None:
    async def check(there: Place, client: httpx.AsyncClient) -> None:
        await there.fault("truncate", times=1, after=100)
        assert await cut_off(client, path) == BODY[:100]
        assert (await client.get("/a")).content == BODY

    http(check)


def test_a_wrong_content_length_hides_the_end_or_promises_too_much() -> None:
    async def check(there: Place, client: httpx.AsyncClient) -> None:
        await there.fault("content_length", times=1, off_by=-10)
        assert (await client.get("/a")).content == BODY[:-10]
        await there.fault("content_length", times=1, off_by=10)
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get("/a")
        assert (await client.get("/chunked")).content == BODY + b"end"

    http(check)


def test_a_slow_body_comes_whole_over_its_time() -> None:
    async def check(there: Place, client: httpx.AsyncClient) -> None:
        await there.fault("slow_body", lasts=0.4)
        began = now()
        async with client.stream("GET", "/a") as response:
            assert now() - began < 0.3, "the head is there at once"
            assert await response.aread() == BODY
        assert now() - began > 0.39

    http(check)


def test_network_faults_strike_http_too() -> None:
    async def check(there: Place, client: httpx.AsyncClient) -> None:
        await client.get("/a")
        await there.fault("limit_data", times=1, after=500, of="answers")
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get("/a")
        await there.fault("latency", delay=0.2, jitter=0.0)
        began = now()
        assert (await client.get("/a")).content == BODY
        assert now() - began > 0.19

    http(check)


def test_nth_lets_the_requests_before_it_pass() -> None:
    async def check(there: Place, client: httpx.AsyncClient) -> None:
        await there.fault("status", times=1, code=503, path="/a", nth=2)
        paths = ("/b", "/a", "/b", "/a", "/a")
        assert [(await client.get(path)).status_code for path in paths] == [200, 200, 200, 503, 200]

    http(check)


def test_a_lost_answer_is_that_of_a_request_that_was_done() -> None:
    async def check(there: Place, client: httpx.AsyncClient) -> None:
        await there.fault("lost_answer", times=1, nth=2)
        assert (await client.get("/empty")).status_code == 204
        with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
            await client.get("/empty")
        assert (await client.get("/a")).content == BODY

    http(check)


def test_a_late_answer_keeps_only_its_own_request_waiting() -> None:
    async def check(there: Place, client: httpx.AsyncClient) -> None:
        await there.fault("late_answer", delay=60.0, path="/a")
        late = asyncio.create_task(client.get("/a"))
        for _ in range(3):
            assert (await client.get("/b")).status_code == 200
        assert not late.done()
        await there.listener.end()
        assert (await late).content == BODY

    http(check)
