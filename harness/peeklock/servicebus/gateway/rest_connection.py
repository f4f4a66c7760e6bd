"""One HTTP connection of a namespace's port, on the way to the data plane or the administration: what comes slowly, is too
long or too much is ended here."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import unquote

from peeklock.servicebus.auth import TokenRefused
from peeklock.servicebus.broker import BrokerError

from .broker_properties import RestRefused
from .rest import Answer, RestRequest

if TYPE_CHECKING:
    import h11

    from .server import Server

MAX_BODY = 1 << 20
STRANGER_BODY = 64 << 10
MAX_HEADERS = 64 << 10


class RestConnection(asyncio.Protocol):
    """One HTTP connection; its requests are answered one after the other."""

    def __init__(self, server: Server) -> None:
        # h11 is loaded by the first HTTP client: the emulator's start does not pay for it
        import h11

        self._server = server
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEADERS)
        self._transport: asyncio.Transport | None = None
        self._request: h11.Request | None = None
        self._body = bytearray()
        self._task: asyncio.Task[None] | None = None
        self._patience: asyncio.TimerHandle | None = None
        self._begun = False
        self._early = 0
        self._paused = False
        self._most = STRANGER_BODY

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport over."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._secure = transport.get_extra_info("ssl_object") is not None
        self._server.waiting.add(transport)
        self._server.meet(transport)
        self._wait(self._server.limits.request)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """The client has gone; a receive that waits for it ends."""
        self._wait(None)
        if self._transport is not None:
            self._server.waiting.discard(self._transport)
            self._server.know(self._transport)
        self._transport = None
        if self._task is not None:
            self._task.cancel()

    def data_received(self, data: bytes) -> None:
        """Read on; answer when a request is whole. It has to be within `Limits.request`, however its bytes drop in."""
        if not self._begun and self._task is None:
            self._begun = True
            self._wait(self._server.limits.request)
        self._http.receive_data(data)
        if self._task is None:
            self._read()
            return
        self._early += len(data)
        if self._early > MAX_BODY and self._transport is not None:
            self._transport.abort()  # it sends one request after the other, and does not wait for an answer

    def eof_received(self) -> None:
        """Close with the client."""

    def pause_writing(self) -> None:
        """The client does not read its answers: it gets no more of them, and is not read from, until it does."""
        self._paused = True
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """The client has caught up."""
        self._paused = False
        if self._transport is not None:
            self._transport.resume_reading()
            if self._task is None:
                self._read()

    def _wait(self, seconds: float | None) -> None:
        """Give the client so long, or with None as long as it takes."""
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
        if seconds is not None:
            self._patience = self._server.loop.call_later(seconds, self._give_up)

    def _give_up(self) -> None:
        """Hang up on a client that sends nothing, or a request that does not end."""
        import h11

        if self._begun and self._http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self._send(_error(RestRefused(408, f"The request was not there within {self._server.limits.request:g} s.")))
        self._server.log("http.timeout", begun=self._begun)
        self._close()
        if self._paused and self._transport is not None:
            self._transport.abort()  # closing would wait for what it does not read

    def _read(self) -> None:
        import h11

        try:
            while True:
                event = self._http.next_event()
                if isinstance(event, h11.Request):
                    self._request, self._body = event, bytearray()
                    self._most = self._body_limit(event)
                elif isinstance(event, h11.Data):
                    self._body += event.data
                    if len(self._body) > self._most:
                        self._send(_error(RestRefused(413, f"The body is longer than {self._most} bytes.")))
                        self._close()
                        return
                elif isinstance(event, h11.EndOfMessage) and self._request is not None:
                    if any(bytes(name) == b"upgrade" for name, _ in self._request.headers) and self._upgrade():
                        return
                    self._wait(None)
                    self._task = self._server.loop.create_task(self._respond(self._request, bytes(self._body)))
                    return
                else:
                    if isinstance(event, h11.ConnectionClosed):
                        self._close()
                    return
        except h11.RemoteProtocolError as error:
            if self._http.our_state is h11.IDLE:
                self._send(_error(RestRefused(400, f"Not an HTTP request: {error}")))
            self._close()

    def _body_limit(self, request: h11.Request) -> int:
        """Return how long a body may be: less for who shows no token, as nobody has asked yet what it allows."""
        headers = {bytes(name): bytes(value).decode("latin-1") for name, value in request.headers}
        token = headers.get(b"authorization", "")
        tokens = self._server.tokens
        try:
            if tokens.misses_key_of(token):
                return MAX_BODY
            path = request.target.decode("latin-1").partition("?")[0]
            tokens.verify(token, unquote(path.partition("/messages")[0]))
        except TokenRefused:
            return STRANGER_BODY
        return MAX_BODY

    def _upgrade(self) -> bool:
        """Hand over to a WebSocket, if one is asked for where there is one (S-1)."""
        request, transport = self._request, self._transport
        assert request is not None
        if transport is None or request.target.partition(b"?")[0].lower() != b"/$servicebus/websocket":
            return False
        from .websocket import WebSocket  # here, with its library: for the first client that wants one

        rest, _ = self._http.trailing_data
        socket = WebSocket(self._server, list(request.headers), bytes(request.target))
        self._server.waiting.discard(transport)
        self._wait(None)
        self._server.know(transport)  # the peer inside is a stranger still
        self._transport = None
        transport.set_protocol(socket)
        socket.connection_made(transport)
        if rest:
            socket.data_received(rest)
        return True

    async def _respond(self, request: h11.Request, body: bytes) -> None:
        import h11

        try:
            if self._server.crowded:
                raise RestRefused(503, self._server.crowd_text())
            answer = await RestRequest(self._server, request, body, secure=self._secure).answer()
        except RestRefused as refused:
            self._server.failed(f"http:{refused.status}")
            self._server.log(
                "rest.refused", status=refused.status, path=request.target.decode("latin-1").partition("?")[0]
            )
            answer = _error(refused)
        except BrokerError as error:
            self._server.failed(error.condition)
            status = {401: 401, 403: 403, 404: 404, 409: 409, 410: 410, 503: 503}.get(error.status, 400)
            answer = _error(RestRefused(status, error.description))
        if answer.status < 400 and self._transport is not None and not request.target.startswith(b"/health"):
            self._server.know(self._transport)
        self._send(answer)
        self._task = None
        self._early = len(self._http.trailing_data[0])
        self._begun = self._early > 0
        self._wait(self._server.limits.request if self._begun else self._server.limits.keep_alive)
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
            if not self._paused:
                self._read()
        else:
            self._close()

    def _send(self, answer: Answer) -> None:
        import h11

        self._server.commit()
        if self._transport is None:
            return
        fields = [*answer.headers, ("content-length", str(len(answer.body))), ("server", "Microsoft-HTTPAPI/2.0")]
        out = self._http.send(h11.Response(status_code=answer.status, headers=fields)) or b""
        out += self._http.send(h11.Data(data=answer.body)) or b""
        out += self._http.send(h11.EndOfMessage()) or b""
        self._transport.write(out)

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.close()


def _error(refused: RestRefused) -> Answer:
    detail = refused.detail.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    body = f"<Error><Code>{refused.status}</Code><Detail>{detail}</Detail></Error>".encode()
    return Answer(refused.status, (("content-type", "application/xml; charset=utf-8"),), body)
