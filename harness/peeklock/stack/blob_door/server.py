"""The door itself: HTTPS outside, Azurite inside, bodies passed on piece by piece both ways."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from peeklock.servicebus.gateway.certificates import server_context
from peeklock.stack.blob_door import batch
from peeklock.stack.blob_door.access import Access, Admitted
from peeklock.stack.blob_door.azurite import HOST, AzuriteConnections
from peeklock.stack.blob_door.exchange import Exchange
from peeklock.stack.blob_door.http1 import PIECE, READ_AHEAD, MalformedError, Request, head, read_answer, read_request
from peeklock.stack.blob_door.journal import BlobJournal
from peeklock.stack.blob_door.principal import Principal
from peeklock.stack.blob_door.refusals import Refused, bad_request
from peeklock.stack.blob_door.request import BlobRequest

_LONGEST_KEY_REQUEST = 1 << 16
_NOT_OURS = ("connection", "keep-alive", "transfer-encoding")
_EXPECTED = (OSError, EOFError, MalformedError)
"""What connections end with."""
_MALFORMED = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


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
        self._server = await asyncio.start_server(self._come_in, HOST, port, ssl=tls, limit=READ_AHEAD)
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
        address: str = writer.get_extra_info("peername")[0]
        self._writers.add(writer)
        try:
            while (request := await self._next(reader, writer)) is not None:
                exchange = Exchange(request, writer, address)
                await self._one(exchange)
                if not exchange.keeps:
                    break
        except _EXPECTED:
            # Either end hung up, or Azurite does not answer: clients are to see no more of it than they would without the
            # door, and no answer that was cut may look whole.
            writer.transport.abort()
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _next(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Request | None:
        """Return the next request; None for none, or for what is no HTTP and was refused."""
        try:
            return await read_request(reader)
        except MalformedError:
            writer.write(_MALFORMED)
            await writer.drain()
            return None

    async def _one(self, exchange: Exchange) -> None:
        message = exchange.request
        request: BlobRequest | None = None
        try:
            request = BlobRequest.read(message.method, message.target, message.fields)
            if request.header("transfer-encoding"):
                text = "You must provide the Content-Length HTTP header."
                raise bad_request("MissingContentLengthHeader", text, 411)
            await self._answer(exchange, request)
        except Refused as refused:
            if request is not None:
                self._tell_journal(request, refused.status, refused.caller, error=refused.code, lacks=refused.lacks)
            await self._refuse(exchange, refused)
        except _EXPECTED:
            raise
        except Exception as error:
            if exchange.answered:
                raise ConnectionAbortedError from error
            text = f"Peeklock's blob door could not answer this request: {type(error).__name__}."
            await self._refuse(exchange, bad_request("InternalError", text, 500))

    def _tell_journal(self, request: BlobRequest, status: int, caller: Principal | None, **facts: str) -> None:
        if self._journal is not None:
            self._journal.observe(request, status, caller, **facts)

    async def _answer(self, exchange: Exchange, request: BlobRequest) -> None:
        comp = request.query.get("comp", "") if request.method == "POST" and not request.blob else ""
        if comp == "userdelegationkey" and not request.container:
            await self._make_key(exchange, request)
        elif comp == "batch":
            await self._batch(exchange, request)
        else:
            admitted = self._access.admit(request, exchange.address)
            if admitted.source is not None:
                await self._check_source(admitted.source)
            await self._pass_on(exchange, request, admitted)

    async def _refuse(self, exchange: Exchange, refused: Refused) -> None:
        await exchange.drop_body()
        headers = {**refused.headers(self._tenant), "x-ms-version": "2021-12-02"}
        await exchange.tell(refused.status, headers.items(), refused.body(self._access.now()), refused.message)

    async def _body(self, exchange: Exchange, longest: int) -> bytes:
        whole = bytearray()
        async for piece in exchange.body():
            whole += piece
            if len(whole) > longest:
                text = "The request body is too large and exceeds the maximum permissible limit."
                raise bad_request("RequestBodyTooLarge", text, 413)
        return bytes(whole)

    async def _make_key(self, exchange: Exchange, request: BlobRequest) -> None:
        principal = self._access.may_delegate(request, exchange.address)
        body = await self._body(exchange, _LONGEST_KEY_REQUEST)
        version = request.header("x-ms-version")
        document = self._access.keys.document(principal, body, version, self._access.now())
        self._tell_journal(request, 200, principal)
        await exchange.tell(200, [("Content-Type", "application/xml"), ("x-ms-version", version)], document)

    async def _batch(self, exchange: Exchange, request: BlobRequest) -> None:
        caller = self._access.authenticate(request, exchange.address)
        body = await self._body(exchange, batch.LONGEST)
        read = batch.read(
            request.header("content-type"), body, request.header("host"),
            lambda part: self._part(_versioned(part, request), exchange.address), self._access.now(),
        )  # fmt: skip
        kind, content = "", b""
        if read.passed:
            inward = request.with_headers(content_type=read.kind, content_length=str(len(read.body)))
            kind, content = await self._ask(self._access.sign(inward), read.body)
        whole, told = batch.answer(read, kind, content)
        self._tell_journal(request, 202, caller)
        await exchange.tell(202, [("x-ms-version", request.header("x-ms-version")), ("Content-Type", told)], whole)

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
        keeps = False
        try:
            connection.writer.write(_head(request) + body)
            await connection.writer.drain()
            answer = await read_answer(connection.reader, request.method)
            told = {name.lower(): value for name, value in answer.fields}
            content = b"".join([piece async for piece in answer.body.pieces()])
            keeps = answer.keeps
            if answer.status >= 300:
                raise bad_request(told.get("x-ms-error-code", "InternalError"), "Azurite refused.", answer.status)
            return told.get("content-type", ""), content
        finally:
            self._azurite.give_back(connection, keeps=keeps)

    async def _pass_on(self, exchange: Exchange, asked: BlobRequest, admitted: Admitted) -> None:
        request, length = admitted.request, exchange.request.body.length
        connection = await self._azurite.take()
        sending: asyncio.Task[bool] | None = None
        keeps = False
        try:
            passing = _send_on(_head(request), exchange.body(), connection.writer)
            if length is None or length > PIECE:  # while it comes, Azurite may answer
                sending = asyncio.create_task(passing)
            else:
                keeps = await passing
            answer = await read_answer(connection.reader, request.method)
            fields = [(name, value) for name, value in answer.fields if name.lower() not in _NOT_OURS]
            told = {name.lower(): value for name, value in fields}
            if "x-ms-copy-source" in told:
                inner, outer = f"http://{HOST}:{connection.port}/{request.account}/", _called(asked)
                told["x-ms-copy-source"] = told["x-ms-copy-source"].replace(inner, outer, 1)
                fields = [
                    (name, told[name.lower()] if name.lower() == "x-ms-copy-source" else value)
                    for name, value in fields
                ]
            error = told.get("x-ms-error-code", "")
            self._tell_journal(asked, answer.status, admitted.caller, role=admitted.role, error=error)
            await exchange.pass_on(answer.status, answer.reason, fields, answer.body)
            keeps = (keeps if sending is None else await sending) and answer.keeps and answer.body.read
        except BaseException:
            keeps = False
            raise
        finally:
            if sending is not None:
                sending.cancel()
            self._azurite.give_back(connection, keeps=keeps)


def _called(request: BlobRequest) -> str:
    """Return the account's URL as the client calls it."""
    account = f"{request.account}/" if request.in_path else ""
    return f"https://{request.header('host')}/{account}"


def _head(request: BlobRequest) -> bytes:
    return head(f"{request.method} {request.target} HTTP/1.1", request.headers)


def _versioned(part: BlobRequest, outer: BlobRequest) -> BlobRequest:
    """A part that is signed with a key has signed the headers that it has; a token's needs to tell the version."""
    if part.header("x-ms-version") or not part.header("authorization").lower().startswith("bearer "):
        return part
    return part.with_headers(x_ms_version=outer.header("x-ms-version"))


async def _send_on(start: bytes, body: AsyncIterator[bytes], writer: asyncio.StreamWriter) -> bool:
    """Send a request on; once Azurite takes no more of it, only take the rest from the client. Return whether it took all."""
    whole = True
    data = start  # for the first of the body: each send costs
    async for piece in body:
        if whole:
            whole = await _sent(writer, data + piece)
        data = b""
    return whole and await _sent(writer, data) if data else whole


async def _sent(writer: asyncio.StreamWriter, data: bytes) -> bool:
    try:
        writer.write(data)
        await writer.drain()
    except OSError:
        return False
    return True
