"""The door itself: HTTPS outside, Azurite inside, bodies passed on piece by piece both ways."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import NamedTuple

import h11

from peeklock.servicebus.gateway.certificates import server_context
from peeklock.stack.blob_door import batch
from peeklock.stack.blob_door.access import Access, Admitted
from peeklock.stack.blob_door.azurite import HOST, AzuriteConnections
from peeklock.stack.blob_door.journal import BlobJournal
from peeklock.stack.blob_door.principal import Principal
from peeklock.stack.blob_door.refusals import Refused, bad_request
from peeklock.stack.blob_door.request import BlobRequest
from peeklock.stack.relay.http_end import HttpEnd

_LONGEST_KEY_REQUEST = 1 << 16
_READ_AHEAD = 1 << 18
_NOT_OURS = ("connection", "keep-alive", "transfer-encoding")
_EXPECTED = (OSError, EOFError, h11.ProtocolError)
"""What connections end with."""


class _Client(NamedTuple):
    end: HttpEnd
    writer: asyncio.StreamWriter
    address: str

    async def send(self, *events: h11.Event) -> None:
        self.writer.write(b"".join(self.end.http.send(event) or b"" for event in events))
        await self.writer.drain()


class BlobDoor:
    """Serves one account over TLS on loopback. Stop it with `stop`."""

    def __init__(self, access: Access, tenant: str = "common", journal: BlobJournal | None = None) -> None:
        """`tenant` is told to clients whose token is missing or not good; `journal` is told of every request before its answer."""
        self._journal = journal
        self._azurite = AzuriteConnections(access.azurite)
        self.port = 0
        self._access, self._tenant = access, tenant
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        """The endpoint of the account."""
        return f"https://{HOST}:{self.port}/{self._access.account.name}"

    async def start(self, port: int = 0) -> int:
        """Listen; return the port. Raises `OSError` when it is taken or no certificate can be made."""
        tls = await asyncio.to_thread(server_context)
        self._server = await asyncio.start_server(self._come_in, HOST, port, ssl=tls, limit=_READ_AHEAD)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self.port

    async def stop(self) -> None:
        """Close the port and every connection."""
        if self._server is not None:
            self._server.close()
        for writer in self._writers:
            writer.transport.abort()  # clients that keep connections would make a polite good-bye wait for them
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)
        self._azurite.close()

    def _come_in(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = _Client(HttpEnd(reader, h11.SERVER), writer, writer.get_extra_info("peername")[0])
        self._writers.add(writer)
        try:
            while await self._one(client):
                client.end.http.start_next_cycle()
        except _EXPECTED:
            # Either end hung up, or Azurite does not answer: clients are to see no more of it than they would without the
            # door, and no answer that was cut may look whole.
            writer.transport.abort()
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _one(self, client: _Client) -> bool:
        """Answer one request; return whether another may follow."""
        head = await client.end.event()
        if not isinstance(head, h11.Request):
            return False
        request: BlobRequest | None = None
        try:
            headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in head.headers]
            request = BlobRequest.read(head.method.decode("latin-1"), head.target.decode("latin-1"), headers)
            if request.header("transfer-encoding"):
                text = "You must provide the Content-Length HTTP header."
                raise bad_request("MissingContentLengthHeader", text, 411)
            await self._answer(client, request)
        except Refused as refused:
            if request is not None:
                self._tell_journal(request, refused.status, refused.caller, error=refused.code, lacks=refused.lacks)
            await self._refuse(client, head.method, refused)
        except _EXPECTED:
            raise
        except Exception as error:
            if client.end.http.our_state is not h11.SEND_RESPONSE:
                raise ConnectionAbortedError from error
            text = f"Peeklock's blob door could not answer this request: {type(error).__name__}."
            await self._refuse(client, head.method, bad_request("InternalError", text, 500))
        return {client.end.http.our_state, client.end.http.their_state} == {h11.DONE}

    def _tell_journal(self, request: BlobRequest, status: int, caller: Principal | None, **facts: str) -> None:
        if self._journal is not None:
            self._journal.observe(request, status, caller, **facts)

    async def _answer(self, client: _Client, request: BlobRequest) -> None:
        comp = request.query.get("comp", "") if request.method == "POST" and not request.blob else ""
        if comp == "userdelegationkey" and not request.container:
            await self._make_key(client, request)
        elif comp == "batch":
            await self._batch(client, request)
        else:
            admitted = self._access.admit(request, client.address)
            if admitted.source is not None:
                await self._check_source(admitted.source)
            await self._pass_on(client, request, admitted)

    async def _refuse(self, client: _Client, method: bytes, refused: Refused) -> None:
        http = client.end.http
        if http.their_state is h11.SEND_BODY and not http.they_are_waiting_for_100_continue:
            async for _ in client.end.body():
                pass  # a client that still sends would lose the answer with the connection
        headers = {**refused.headers(self._tenant), "x-ms-version": "2021-12-02"}
        await self._tell(client, method, refused.status, headers, refused.body(self._access.now()), refused.message)

    async def _tell(
        self, client: _Client, method: bytes, status: int, headers: dict[str, str], body: bytes, reason: str = ""
    ) -> None:
        told = [*headers.items(), ("Content-Length", str(len(body)))]
        phrase = reason or HTTPStatus(status).phrase
        events: list[h11.Event] = [h11.Response(status_code=status, headers=told, reason=phrase)]
        if method != b"HEAD":
            events.append(h11.Data(data=body))
        await client.send(*events, h11.EndOfMessage())

    async def _body(self, client: _Client, longest: int) -> bytes:
        await _go_ahead(client)
        whole = bytearray()
        async for piece in client.end.body():
            whole += piece
            if len(whole) > longest:
                text = "The request body is too large and exceeds the maximum permissible limit."
                raise bad_request("RequestBodyTooLarge", text, 413)
        return bytes(whole)

    async def _make_key(self, client: _Client, request: BlobRequest) -> None:
        principal = self._access.may_delegate(request, client.address)
        body = await self._body(client, _LONGEST_KEY_REQUEST)
        version = request.header("x-ms-version")
        document = self._access.keys.document(principal, body, version, self._access.now())
        self._tell_journal(request, 200, principal)
        headers = {"Content-Type": "application/xml", "x-ms-version": version}
        await self._tell(client, b"POST", 200, headers, document)

    async def _batch(self, client: _Client, request: BlobRequest) -> None:
        caller = self._access.authenticate(request, client.address)
        body = await self._body(client, batch.LONGEST)
        read = batch.read(
            request.header("content-type"), body, request.header("host"),
            lambda part: self._part(_versioned(part, request), client.address), self._access.now(),
        )  # fmt: skip
        headers = {"x-ms-version": request.header("x-ms-version")}
        kind, content = "", b""
        if read.passed:
            inward = request.with_headers(content_type=read.kind, content_length=str(len(read.body)))
            kind, content = await self._ask(self._access.sign(inward), read.body)
        whole, told = batch.answer(read, kind, content)
        self._tell_journal(request, 202, caller)
        await self._tell(client, b"POST", 202, {**headers, "Content-Type": told}, whole)

    def _part(self, part: BlobRequest, address: str) -> BlobRequest:
        if part.header("x-ms-copy-source"):
            raise bad_request("InvalidInput", "One of the request inputs is not valid.")
        return self._access.admit(part, address).request

    async def _check_source(self, source: BlobRequest) -> None:
        try:
            await self._ask(source, b"")
        except Refused as refused:
            code, text = "CannotVerifyCopySource", "Could not verify the copy source within the specified time."
            raise Refused(refused.status, code, text) from None

    async def _ask(self, request: BlobRequest, body: bytes) -> tuple[str, bytes]:
        """Return the type and the body of Azurite's answer to a whole request. Raises `Refused` for none of 2xx."""
        connection = await self._azurite.take()
        end, writer = connection.end, connection.writer
        try:
            for event in (_head(request), *([h11.Data(data=body)] if body else ()), h11.EndOfMessage()):
                writer.write(end.http.send(event) or b"")
            await writer.drain()
            head = await end.event()
            if not isinstance(head, h11.Response):
                raise ConnectionResetError("Azurite does not answer")
            told = {name.decode(): value.decode("latin-1") for name, value in head.headers}
            content = b"".join([piece async for piece in end.body()])
            if head.status_code >= 300:
                raise bad_request(told.get("x-ms-error-code", "InternalError"), "Azurite refused.", head.status_code)
            return told.get("content-type", ""), content
        finally:
            self._azurite.give_back(connection)

    async def _pass_on(self, client: _Client, asked: BlobRequest, admitted: Admitted) -> None:
        request = admitted.request
        connection = await self._azurite.take()
        end, writer = connection.end, connection.writer
        sending: asyncio.Task[None] | None = None
        try:
            await _go_ahead(client)
            sending = asyncio.create_task(_send_on(_head(request), client.end, end, writer))
            head = await end.event()
            while isinstance(head, h11.InformationalResponse):
                head = await end.event()
            if not isinstance(head, h11.Response):
                raise ConnectionResetError("Azurite does not answer")
            inner, outer = f"http://{HOST}:{self._access.azurite()}/{request.account}/".encode(), _called(asked)
            headers = [
                (name, value.replace(inner, outer, 1) if name.lower() == b"x-ms-copy-source" else value)
                for name, value in head.headers.raw_items()
                if name.lower().decode() not in _NOT_OURS
            ]
            error = next((value.decode("latin-1") for name, value in head.headers if name == b"x-ms-error-code"), "")
            self._tell_journal(asked, head.status_code, admitted.caller, role=admitted.role, error=error)
            answer: list[h11.Event] = [h11.Response(status_code=head.status_code, headers=headers, reason=head.reason)]
            async for piece in end.body():
                await client.send(*answer, h11.Data(data=piece))  # the head with the first of it: each send costs
                answer.clear()
            await sending
            await client.send(*answer, h11.EndOfMessage())
        finally:
            if sending is not None:
                sending.cancel()
            self._azurite.give_back(connection)


def _called(request: BlobRequest) -> bytes:
    """Return the account's URL as the client calls it."""
    account = f"{request.account}/" if request.in_path else ""
    return f"https://{request.header('host')}/{account}".encode("latin-1")


def _head(request: BlobRequest) -> h11.Request:
    headers = [(name.encode("ascii"), value.encode("latin-1")) for name, value in request.headers]
    return h11.Request(method=request.method, target=request.target, headers=headers)


def _versioned(part: BlobRequest, outer: BlobRequest) -> BlobRequest:
    """A part that is signed with a key has signed the headers that it has; a token's needs to tell the version."""
    if part.header("x-ms-version") or not part.header("authorization").lower().startswith("bearer "):
        return part
    return part.with_headers(x_ms_version=outer.header("x-ms-version"))


async def _go_ahead(client: _Client) -> None:
    if client.end.http.they_are_waiting_for_100_continue:
        await client.send(h11.InformationalResponse(status_code=100, headers=[]))


async def _send_on(
    head: h11.Request, client: HttpEnd, azurite: HttpEnd, writer: asyncio.StreamWriter
) -> None:  # fmt: skip
    """Send a request on; when Azurite has answered without its whole body, only take the rest from the client."""
    gone = False
    waiting: list[h11.Event] = [head]  # for the first of the body: each send costs
    async for piece in client.body():
        waiting.append(h11.Data(data=piece))
        if not gone:
            gone = await _sent(azurite, writer, waiting)
        waiting.clear()
    if not gone:
        await _sent(azurite, writer, [*waiting, h11.EndOfMessage()])


async def _sent(azurite: HttpEnd, writer: asyncio.StreamWriter, events: list[h11.Event]) -> bool:
    """Send events; return whether Azurite takes no more."""
    try:
        writer.write(b"".join(azurite.http.send(event) or b"" for event in events))
        await writer.drain()
    except (OSError, h11.LocalProtocolError):
        return True
    return False
