"""TLS before something on this machine that speaks none."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable

from peeklock.servicebus.gateway.certificate_names import AZURE, LOOPBACK
from peeklock.servicebus.gateway.certificates import authority, server_context

_HOST = "127.0.0.1"
_CHUNK = 64 * 1024


class TlsFront:
    """Carries the bytes of TLS connections to a port and back. Shows the certificate of Azure's names, or of loopback, as clients
    ask. What breaks on one side breaks on the other."""

    def __init__(self, target: Callable[[], int], own: tuple[str, ssl.SSLContext] | None = None) -> None:
        """`target` tells the port, for each connection; `own`: a host that is neither, and what shows its certificate."""
        self._target, self._own = target, own
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()

    async def start(self, port: int) -> None:
        """Listen. Raises `OSError` when the port is taken or no certificate can be made."""
        tls = await asyncio.to_thread(server_context)
        if self._own is not None:
            tls = _choosing(*self._own, tls)
        self._server = await asyncio.start_server(self._come_in, _HOST, port, ssl=tls)

    async def stop(self) -> None:
        """Close the port and every connection."""
        if self._server is not None:
            self._server.close()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    def _come_in(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers = [writer]
        try:
            target = await asyncio.open_connection(_HOST, self._target())
            writers.append(target[1])
            ways = [asyncio.create_task(_carry(*way)) for way in ((reader, target[1]), (target[0], writer))]
            try:
                # TLS has no half-closed connections: whichever side ends, what it has sent still arrives
                done, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
                for way in done:
                    way.result()
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        except OSError:
            for each in writers:
                each.transport.abort()
        finally:
            for each in writers:
                each.close()


def _choosing(host: str, own: ssl.SSLContext, others: ssl.SSLContext) -> ssl.SSLContext:
    """Return a context that shows the certificate of a host to those who ask for it, and to all others what they are shown else."""

    def choose(connection: ssl.SSLObject, asked: str | None, _: ssl.SSLContext) -> None:
        if (asked or "").lower() != host:
            connection.context = others

    own.sni_callback = choose
    return own


def authorities() -> str:
    """Return, in PEM, who has signed what this process shows: for Azure's names, and for loopback. Raises `OSError`."""
    return "".join(authority(names).read_text(encoding="ascii") for names in (AZURE, LOOPBACK))


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(_CHUNK):
        writer.write(data)
        await writer.drain()
