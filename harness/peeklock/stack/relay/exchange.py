"""HTTP/1.1 over one connection: request after request, each with its response, through the faults that are on.

What cannot be read as HTTP/1.1 is carried on as it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from peeklock.stack.faults.fault import HttpFault
from peeklock.stack.relay.active import Active
from peeklock.stack.relay.message import Answer, Head, NotHttp, Request, Response

if TYPE_CHECKING:
    from peeklock.stack.relay.line import Line

_CHUNK = 64 * 1024


async def exchange(line: Line) -> None:
    """Serve the connection until either end closes it."""
    try:
        while await _one(line):
            pass
    except Exception as error:  # noqa: BLE001  whatever it is, neither end can go on from the middle of a message
        if not isinstance(error, OSError | EOFError | ValueError | NotHttp):
            line.door.say(f"the relay gave up: {type(error).__name__}")
        await line.put("answers", None)
        await line.put("requests", None)


async def _one(line: Line) -> bool:
    """Carry one request and its response; return whether another may follow."""
    raw = await _first_bytes(line)
    if raw is None:
        return False
    try:
        request = Request(**vars(Head.parse(raw)))
    except NotHttp:
        await line.put("requests", raw)
        await line.copy()
        return False
    body = _body(line.from_client, request, request.length or 0)
    for active in list(line.door.faults):
        answer = _answer(active, request)
        if answer is not None:
            if request.get(b"expect"):  # it may send its body now, or never
                await line.put("answers", answer.raw(request.method))
                await line.put("answers", None)
                await line.put("requests", None)
                return False
            async for _ in body:
                pass
            await line.put("answers", answer.raw(request.method))
            return True
    await line.put("requests", request.raw())
    passing = asyncio.ensure_future(_pass_on(line, request, body))
    try:
        return await _response(line, request, passing)
    finally:
        passing.cancel()


async def _first_bytes(line: Line) -> bytes | None:
    """Return the head of the next request; None when there is none, and the connection is done with or was handed over."""
    asking = asyncio.ensure_future(_head(line.from_client))
    watching = asyncio.ensure_future(line.from_target.read(_CHUNK))
    try:
        await asyncio.wait({asking, watching}, return_when=asyncio.FIRST_COMPLETED)
        if watching.done() and not asking.done():
            # the target speaks, or hangs up, without having been asked
            unasked = watching.result()
            asking.cancel()
            await asyncio.wait({asking})
            await line.put("answers", unasked or None)
            if unasked:
                await line.copy()
            else:
                await line.put("requests", None)
            return None
        head = asking.result()
        if head:
            return head
        await line.put("requests", None)
        await line.put("answers", None)
        return None
    finally:
        asking.cancel()
        watching.cancel()
        await asyncio.wait({asking, watching})


async def _head(reader: asyncio.StreamReader) -> bytes:
    """Return everything up to the empty line; nothing at the end of the stream."""
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as rest:
        return rest.partial
    except asyncio.LimitOverrunError as much:
        return await reader.readexactly(much.consumed)


def _answer(active: Active, request: Request) -> Answer | None:
    fault = active.fault
    if not isinstance(fault, HttpFault) or active.spent or not fault.meant(request):
        return None
    answer = fault.answer(request)
    if answer is None or not active.strike(f"{request.method} {request.path} answered {answer.status}"):
        return None
    return answer


async def _pass_on(line: Line, request: Head, body: AsyncIterator[bytes]) -> None:
    async for piece in body:
        await line.put("requests", _framed(piece) if request.chunked else piece)
    if request.chunked:
        await line.put("requests", b"0\r\n\r\n")


async def _response(line: Line, request: Request, passing: asyncio.Future[None]) -> bool:
    while True:
        head = Head.parse(await line.from_target.readuntil(b"\r\n\r\n"))
        status = int(head.line.split(b" ")[1])
        if status >= 200:
            break
        await line.put("answers", head.raw())
        if status == 101:
            await line.copy()
            return False
    bare = request.method == "HEAD" or status in (204, 304)
    until_end = not head.chunked and head.length is None and not bare
    length = 0 if bare else head.length
    response = Response(head, _body(line.from_target, head, length, bare))
    for active in list(line.door.faults):
        if not bare:
            await _spoil(active, request, response)
    await line.put("answers", response.raw())
    async for piece in response.body():
        if piece:
            await line.put("answers", _framed(piece) if response.chunked and not bare else piece)
    closes = until_end or b"close" in head.get(b"connection").lower() or head.line.startswith(b"HTTP/1.0")
    if response.chunked and not bare and not response.cut:
        await line.put("answers", b"0\r\n\r\n")
    if response.cut or closes:
        await line.put("answers", None)
        await line.put("requests", None)
        return False
    await passing
    return True


async def _spoil(active: Active, request: Request, response: Response) -> None:
    fault = active.fault
    if not isinstance(fault, HttpFault) or active.spent or not fault.meant(request):
        return
    if active.strike(f"{request.method} {request.path}: {fault.kind}"):
        await fault.spoil(active, response)


async def _body(
    reader: asyncio.StreamReader, head: Head, length: int | None, bare: bool = False
) -> AsyncIterator[bytes]:
    """Yield the payload of a body; with no length, until the stream ends."""
    if head.chunked and not bare:
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            yield await reader.readexactly(size)
            await reader.readexactly(2)
        while await reader.readuntil(b"\r\n") != b"\r\n":
            pass
        return
    left = length
    while left is None or left > 0:
        piece = await reader.read(_CHUNK if left is None else min(left, _CHUNK))
        if not piece:
            if left is None:
                return
            raise asyncio.IncompleteReadError(b"", left)
        left = None if left is None else left - len(piece)
        yield piece


def _framed(piece: bytes) -> bytes:
    return f"{len(piece):x}\r\n".encode() + piece + b"\r\n"
