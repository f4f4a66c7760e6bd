"""The data plane and the administration over HTTP, on a namespace's own port."""

from __future__ import annotations

import asyncio
from urllib.parse import unquote

from peeklock.servicebus.auth import TokenRefused
from peeklock.servicebus.broker import BrokerError
from peeklock.servicebus.gateway.administration import Administration
from peeklock.servicebus.gateway.connections import in_tls
from peeklock.servicebus.gateway.context import NamespaceContext
from peeklock.servicebus.http import HttpLimits, HttpReply, HttpRequest, HttpService

from .properties import RestRefused
from .request import RestRequest

MAX_BODY = 1 << 20
UNAUTHENTICATED_BODY = 64 << 10
MAX_HEADERS = 64 << 10
_WEBSOCKET = "/$servicebus/websocket"
_STATUSES = {401: 401, 403: 403, 404: 404, 409: 409, 410: 410, 503: 503}


class RestService(HttpService):
    """Answers for one namespace. `problems` tells what keeps it from working, for `/health`."""

    cancels = True  # a receive for a client that has gone would take a message for nobody

    def __init__(self, context: NamespaceContext, administration: Administration) -> None:
        limits = context.limits
        super().__init__(
            HttpLimits(limits.request, limits.keep_alive, MAX_HEADERS, MAX_BODY),
            context.log,
            own_machine=context.own_machine,
        )
        self._context = context
        self._administration = administration

    async def answer(self, request: HttpRequest) -> HttpReply:
        """Answer, or refuse with the reason."""
        context = self._context
        try:
            if context.connections.crowded:
                raise RestRefused(503, context.connections.crowd_text())
            return await RestRequest(context, self._administration, request).answer()
        except RestRefused as refused:
            context.failures.count(f"http:{refused.status}")
            context.log("request.refused", status=refused.status, path=request.path, reason=refused.problem)
            return self.refusal(refused.status, refused.detail)
        except BrokerError as error:
            context.failures.count(error.condition)
            return self.refusal(_STATUSES.get(error.status, 400), error.description)

    def refusal(self, status: int, reason: str) -> HttpReply:
        """Say no in Service Bus's form (S-80)."""
        detail = reason.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        body = f"<Error><Code>{status}</Code><Detail>{detail}</Detail></Error>".encode("utf-8", "replace")
        return HttpReply(status, body, "application/xml; charset=utf-8")

    def body_limit(self, request: HttpRequest) -> int:
        """Less for a client that shows no token, as nobody has asked yet what it allows."""
        token = request.headers.get("authorization", "")
        tokens = self._context.tokens
        try:
            if tokens.misses_key_of(token):
                return MAX_BODY
            tokens.verify(token, unquote(request.path.partition("/messages")[0]), request.path)
        except TokenRefused:
            return UNAUTHENTICATED_BODY
        return MAX_BODY

    def upgrade(self, request: HttpRequest, transport: asyncio.Transport, rest: bytes) -> bool:
        """Hand over to a WebSocket, if one is asked for where there is one (S-1)."""
        if request.path.lower() != _WEBSOCKET:
            return False
        # here, with its library: for the first client that wants one
        from peeklock.servicebus.gateway.websocket import WebSocket

        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in request.raw_headers]
        socket = WebSocket(self._context, headers, request.target.encode("latin-1"))
        self.closed(transport)
        transport.set_protocol(socket)
        socket.connection_made(transport)
        if rest:
            socket.data_received(rest)
        return True

    def opened(self, transport: asyncio.Transport) -> None:
        """Count a connection that has shown no token yet."""
        self._context.connections.other.add(transport)
        self._context.connections.unauthenticated(transport, tls=in_tls(transport))

    def answered(self, transport: asyncio.Transport, request: HttpRequest, reply: HttpReply) -> None:
        """Have everything kept before the client is told; who was served has shown a token."""
        self._context.turns.commit()
        if reply.status < 400 and not request.target.startswith("/health"):
            self._context.connections.authenticated(transport)

    def closed(self, transport: asyncio.Transport) -> None:
        """Forget a connection."""
        self._context.connections.other.discard(transport)
        self._context.connections.authenticated(transport)
