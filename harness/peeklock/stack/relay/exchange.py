"""HTTP through the relay: one exchange after the other on a connection, so that faults see requests and responses.

What is not HTTP/1.1 is carried on as it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Protocol

import h11

from peeklock.stack.faults import Answer, HttpFault, Request, Response, Way
from peeklock.stack.relay.active_fault import ActiveFault
from peeklock.stack.relay.http_end import HttpEnd

_CHUNK = 64 * 1024


class Carrier(Protocol):
    """The connection that exchanges happen on."""

    from_client: asyncio.StreamReader
    from_target: asyncio.StreamReader

    @property
    def faults(self) -> Sequence[ActiveFault]:
        """Those that are on."""

    async def put(self, way: Way, data: bytes | None) -> None:
        """Send bytes on one way; None ends that way."""

    async def copy(self) -> None:
        """Send on whatever comes, both ways."""

    def say(self, text: str) -> None:
        """Tell of something that has happened."""

    def passed(self, request: Request) -> None:
        """Tell of a request that the target has answered."""


async def exchange(carrier: Carrier) -> None:
    """Serve the connection until either end closes it."""
    client, target = HttpEnd(carrier.from_client, h11.SERVER), HttpEnd(carrier.from_target, h11.CLIENT)
    try:
        while await _one(carrier, client, target):
            client.http.start_next_cycle()
            if target.http.our_state is h11.DONE:
                target.http.start_next_cycle()
    except Exception as error:  # noqa: BLE001  whatever it is, neither end can go on from the middle of a message
        if not isinstance(error, OSError | EOFError | h11.ProtocolError):
            carrier.say(f"the relay gave up: {type(error).__name__}")
        await _end(carrier)


async def _end(carrier: Carrier) -> None:
    await carrier.put("answers", None)
    await carrier.put("requests", None)


async def _one(carrier: Carrier, client: HttpEnd, target: HttpEnd) -> bool:
    """Carry one request and its response; return whether another may follow."""
    head = await _next_head(carrier, client)
    if head is None:
        return False
    path = head.target.partition(b"?")[0].decode("latin-1")
    request = Request(head.method.decode("latin-1").upper(), path)
    for active in list(carrier.faults):
        answer = _answer(active, request)
        if answer is not None:
            return await _answer_itself(carrier, client, request, answer)
    await carrier.put("requests", target.http.send(head))
    passing = asyncio.ensure_future(_pass_on(carrier, client, target))
    try:
        return await _respond(carrier, request, client, target, passing)
    finally:
        passing.cancel()


async def _next_head(carrier: Carrier, client: HttpEnd) -> h11.Request | None:
    """Return the head of the next request; None when there is none, and the connection is done with or was handed over."""
    asking = asyncio.ensure_future(client.event())
    watching = asyncio.ensure_future(carrier.from_target.read(_CHUNK))
    try:
        await asyncio.wait({asking, watching}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        asking.cancel()
        watching.cancel()
    await asyncio.wait({asking, watching})
    head, unasked = _outcome(asking), _outcome(watching)
    if isinstance(head, h11.Request) and not unasked:
        return head
    if isinstance(head, h11.RemoteProtocolError) or (unasked and head is None):  # no HTTP, or the target speaks first
        await carrier.put("answers", unasked or b"")
        await carrier.put("requests", client.raw)
        await carrier.copy()
    else:  # one of them hangs up
        await _end(carrier)
    return None


def _outcome(task: asyncio.Future[Any]) -> Any:
    """Return the result or the error of a task that has ended; None for one that was cancelled."""
    return None if task.cancelled() else task.exception() or task.result()


def _answer(active: ActiveFault, request: Request) -> Answer | None:
    fault = active.fault
    if not isinstance(fault, HttpFault) or active.strikes.spent or not fault.meant(request):
        return None
    answer = fault.answer(request)
    if answer is None or not active.strikes.is_due(fault.nth):
        return None
    if not active.strikes.strike(f"{request.method} {request.path} answered {answer.status}"):
        return None
    return answer


async def _answer_itself(carrier: Carrier, client: HttpEnd, request: Request, answer: Answer) -> bool:
    waiting = client.http.they_are_waiting_for_100_continue  # it may send its body now, or never
    if not waiting:
        async for _ in client.body():
            pass
    bodyless = answer.status in (204, 304)
    told = {"Content-Type": "text/plain; charset=utf-8", **answer.headers, "Content-Length": str(len(answer.body))}
    try:
        reason = HTTPStatus(answer.status).phrase
    except ValueError:
        reason = "Fault"
    headers = list((answer.headers if bodyless else told).items())
    raw = client.http.send(h11.Response(status_code=answer.status, headers=headers, reason=reason)) or b""
    if not bodyless and request.method != "HEAD":
        raw += client.http.send(h11.Data(data=answer.body)) or b""
    raw += client.http.send(h11.EndOfMessage()) or b""
    await carrier.put("answers", raw)
    if waiting or client.http.our_state is not h11.DONE:
        await _end(carrier)
        return False
    return True


async def _pass_on(carrier: Carrier, client: HttpEnd, target: HttpEnd) -> None:
    async for piece in client.body():
        await carrier.put("requests", target.http.send(h11.Data(data=piece)))
    await carrier.put("requests", target.http.send(h11.EndOfMessage()))


async def _respond(
    carrier: Carrier, request: Request, client: HttpEnd, target: HttpEnd, passing: asyncio.Future[None]
) -> bool:
    while isinstance(head := await target.event(), h11.InformationalResponse):
        await carrier.put("answers", client.http.send(head))
        if head.status_code == 101:
            return await _switch(carrier, client, target, passing)
    if not isinstance(head, h11.Response):
        await _end(carrier)
        return False
    carrier.passed(request)
    response = Response(head.status_code, list(head.headers.raw_items()), target.body())
    bodyless = request.method == "HEAD" or head.status_code in (204, 304)
    for active in list(carrier.faults):
        if not bodyless or not (isinstance(active.fault, HttpFault) and active.fault.of_bodies):
            await _spoil(active, request, response)
    if response.lost:
        await _end(carrier)
        return False
    spoilt = h11.Response(status_code=head.status_code, headers=response.headers, reason=head.reason)
    await carrier.put("answers", client.http.send(spoilt))
    if client.http.our_state is h11.SWITCHED_PROTOCOL:  # of CONNECT
        return await _switch(carrier, client, target, passing)
    async for piece in response.body():
        if piece:
            await carrier.put("answers", client.http.send(h11.Data(data=piece)))
    if response.cut:
        await _end(carrier)
        return False
    await carrier.put("answers", client.http.send(h11.EndOfMessage()))
    if {client.http.our_state, target.http.their_state} != {h11.DONE}:
        await _end(carrier)
        return False
    await passing
    return True


async def _switch(carrier: Carrier, client: HttpEnd, target: HttpEnd, passing: asyncio.Future[None]) -> bool:
    """Both ends speak another protocol from now on."""
    await passing
    await carrier.put("answers", target.http.trailing_data[0])
    await carrier.put("requests", client.http.trailing_data[0])
    await carrier.copy()
    return False


async def _spoil(active: ActiveFault, request: Request, response: Response) -> None:
    fault = active.fault
    if not isinstance(fault, HttpFault) or active.strikes.spent or not fault.meant(request):
        return
    if fault.answer(request) is not None:  # it answers in the target's place, and this request was there before it
        return
    if active.strikes.is_due(fault.nth) and active.strikes.strike(f"{request.method} {request.path}: {fault.kind}"):
        await fault.spoil(active.strikes, response)
