"""One HTTP connection: its requests are answered one after the other; what comes too slowly, is too long or too much is
ended here."""

from __future__ import annotations

import asyncio
import traceback
from typing import Any

import h11

from .foreign import why_foreign
from .messages import HttpReply, HttpRequest
from .service import HttpService

STREAM_BUFFER = 256 << 10
"""How many bytes wait for a client that reads a stream too slowly."""
_SERVER = ("server", "Microsoft-HTTPAPI/2.0")


class HttpConnection(asyncio.Protocol):
    """Feeds h11 from an asyncio transport and gives whole requests to a service. With `turned_away` every request is
    answered so instead."""

    def __init__(self, service: HttpService, *, turned_away: HttpReply | None = None) -> None:
        self._service = service
        self._turned_away = turned_away
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=service.limits.headers)
        self._transport: asyncio.Transport | None = None
        self._request: HttpRequest | None = None
        self._body = bytearray()
        self._most = 0
        self._task: asyncio.Task[None] | None = None
        self._patience: asyncio.TimerHandle | None = None
        self._begun = False
        self._early = 0
        self._drained = asyncio.Event()
        self._drained.set()
        self._gone: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    # -- asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport over."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._service.opened(transport)
        self._wait(self._service.limits.request)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """The client has gone: a stream for it ends, and work for it where the service wants that."""
        self._wait(None)
        if self._transport is not None:
            self._service.closed(self._transport)
        self._transport = None
        self._drained.set()
        if not self._gone.done():
            self._gone.set_result(None)
        if self._task is not None and self._service.cancels:
            self._task.cancel()

    def data_received(self, data: bytes) -> None:
        """Read on; answer when a request is whole, which has to be within `HttpLimits.request` however its bytes drip."""
        if self._task is None and not self._begun:
            self._begun = True
            self._wait(self._service.limits.request)
        self._http.receive_data(data)
        if self._task is None:
            self._read()
            return
        self._early += len(data)
        if self._early > self._service.limits.body and self._transport is not None:
            self._transport.abort()  # it sends one request after the other, and does not wait for an answer

    def eof_received(self) -> None:
        """Close with the client."""

    def pause_writing(self) -> None:
        """The client does not read its answers: it gets no more of them, and is not read from, until it does."""
        self._drained.clear()
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """The client has caught up."""
        self._drained.set()
        if self._transport is not None:
            self._transport.resume_reading()
            if self._task is None:
                self._read()

    # -- patience

    def _wait(self, seconds: float | None) -> None:
        """Give the client so long, or with None as long as it takes."""
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
        if seconds is not None:
            self._patience = asyncio.get_running_loop().call_later(seconds, self._give_up)

    def _give_up(self) -> None:
        """Hang up on a client that sends nothing, or a request that does not end."""
        if self._begun and self._http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            seconds = self._service.limits.request
            self._send(self._service.refusal(408, f"The request was not there within {seconds:g} s."))
        self._service.log("http.timeout", begun=self._begun)
        self._close()
        if not self._drained.is_set() and self._transport is not None:
            self._transport.abort()  # closing would wait for what it does not read

    # -- requests

    def _read(self) -> None:
        try:
            while True:
                event = self._http.next_event()
                if isinstance(event, h11.Request):
                    self._request, self._body = self._head(event), bytearray()
                    self._most = self._service.body_limit(self._request)
                elif isinstance(event, h11.Data):
                    self._body += event.data
                    if len(self._body) > self._most:
                        self._send(self._service.refusal(413, f"The body is longer than {self._most} bytes."))
                        self._close()
                        return
                elif isinstance(event, h11.EndOfMessage) and self._request is not None:
                    self._wait(None)
                    self._begin(self._request)
                    return
                else:
                    if isinstance(event, h11.ConnectionClosed):
                        self._close()
                    return
        except h11.RemoteProtocolError as error:
            if self._http.our_state is h11.IDLE:
                self._send(self._service.refusal(error.error_status_hint, f"Not an HTTP request: {error}"))
            self._close()
        except Exception as error:  # noqa: BLE001 -- whatever it is, the client is told and the log knows where
            self._fail(self._request, error)
            self._close()

    def _head(self, event: h11.Request) -> HttpRequest:
        raw = tuple((bytes(name).decode("latin-1"), bytes(value).decode("latin-1")) for name, value in event.headers)
        headers = {name.lower(): value for name, value in raw}
        assert self._transport is not None
        secure = self._transport.get_extra_info("ssl_object") is not None
        target = event.target.decode("latin-1")
        return HttpRequest(event.method.decode("latin-1"), target, headers, raw, b"", secure)

    def _begin(self, head: HttpRequest) -> None:
        transport = self._transport
        assert transport is not None
        if self._service.own_machine and (reason := why_foreign(head, self._service.called)) is not None:
            self._service.log("request.refused", reason=reason)
            self._turned_away = self._service.refusal(403, reason)
        if "upgrade" in head.headers and self._turned_away is None:
            rest, _ = self._http.trailing_data
            if self._service.upgrade(head, transport, rest):
                self._transport = None
                return
        request = HttpRequest(head.method, head.target, head.headers, head.raw_headers, bytes(self._body), head.secure)
        self._task = asyncio.get_running_loop().create_task(self._respond(request))

    async def _respond(self, request: HttpRequest) -> None:
        try:
            reply = self._turned_away or await self._service.answer(request)
            if self._transport is not None:
                self._service.answered(self._transport, request, reply)
            if reply.stream is not None:
                await self._stream(reply)
                return
            self._send(reply)
        except Exception as error:  # noqa: BLE001 -- whatever it is, the client is told and the log knows where
            self._fail(request, error)
        self._task = None
        self._early = len(self._http.trailing_data[0])
        self._begun = self._early > 0
        limits = self._service.limits
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE and self._turned_away is None:
            self._wait(limits.request if self._begun else limits.keep_alive)
            self._http.start_next_cycle()
            if self._drained.is_set():
                self._read()
        else:
            self._close()

    def _fail(self, request: HttpRequest | None, error: Exception) -> None:
        """Answer what nobody foresaw: 500 where the answer has not begun, and the traceback in the log."""
        self._service.log(
            "http.failed",
            level="error",
            method=request.method if request else "",
            path=request.path if request else "",
            error=type(error).__name__,
            traceback="".join(traceback.format_exception(error)),
        )
        if self._http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self._send(self._service.refusal(500, "The service could not process the request: see its log."))

    # -- replies

    def _send(self, reply: HttpReply) -> None:
        if self._transport is None:
            return
        body = b"" if self._request is not None and self._request.method == "HEAD" else reply.body
        out = self._begin_reply(reply, len(reply.body))
        if body:
            out += self._http.send(h11.Data(data=body)) or b""
        out += self._http.send(h11.EndOfMessage()) or b""
        self._transport.write(out)

    def _begin_reply(self, reply: HttpReply, length: int | None) -> bytes:
        fields = [*reply.headers, ("content-type", reply.kind)] if reply.kind else [*reply.headers]
        if length is not None:
            fields.append(("content-length", str(length)))
        written = [(name.encode("ascii"), _field(value)) for name, value in (*fields, _SERVER)]
        return self._http.send(h11.Response(status_code=reply.status, headers=written)) or b""

    async def _stream(self, reply: HttpReply) -> None:
        """Send until the stream ends or its reader hangs up; a slow reader holds up nobody but itself."""
        assert reply.stream is not None
        transport = self._transport
        if transport is None:
            return
        transport.set_write_buffer_limits(high=STREAM_BUFFER)
        transport.write(self._begin_reply(reply, None))
        async for piece in reply.stream(self._gone):
            await self._drained.wait()
            if self._transport is None:
                return
            transport.write(self._http.send(h11.Data(data=piece)) or b"")
        if self._transport is not None:
            transport.write(self._http.send(h11.EndOfMessage()) or b"")
        self._close()

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.close()


def _field(value: str) -> bytes:
    """Write the value of a header: what a message says of itself may have any character, a header no control characters."""
    return "".join(char if char.isprintable() else " " for char in value).strip().encode("utf-8", "replace")
