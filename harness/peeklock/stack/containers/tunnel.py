"""The tunnel between the containers of an environment's services and the loopback of this machine.

All of them share the network of one small container, in which this program runs too (`inside`); its other half runs on this
machine (`outside`). Who connects to 127.0.0.1:P inside, arrives at 127.0.0.1:P outside, for every P that was given; and the other
way round for the ports of the services. So an address, a connection string or a SAS URL is right for every reader.

One port is published for all of it. Outside connects to it, as what it is for: `<token> wait`, to be used for the next who wants
out, or `<token> <port>`, to be joined to a service. Standard library only, and of `peeklock` nothing: it is given to Python as text.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys

TOKEN = "PEEKLOCK_TUNNEL_TOKEN"  # noqa: S105  the name of the variable
WAITING = 16
"""Connections that wait for somebody who wants out; each that is used is replaced at once."""
_HERE = "127.0.0.1"
End = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _join(one: End, other: End) -> None:
    """Pass bytes both ways until both sides have ended; when one breaks, break the other."""
    try:
        await asyncio.gather(_pass(one[0], other[1]), _pass(other[0], one[1]))
    except OSError:
        for _, writer in (one, other):
            writer.transport.abort()
    for _, writer in (one, other):
        writer.close()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()
    with contextlib.suppress(OSError):
        writer.write_eof()


async def _reach(port: int) -> End | None:
    try:
        return await asyncio.open_connection(_HERE, port)
    except OSError:
        return None


async def _to(port: int, end: End) -> None:
    other = await _reach(port)
    if other is None:  # nobody listens there: whoever came is hung up on
        end[1].transport.abort()
    else:
        await _join(end, other)


async def inside(published: int, ports: list[int]) -> None:
    """In the network of the services: listen on `ports` for those who want out, and on `published` for the other half."""
    token = os.environ[TOKEN]
    waiting: asyncio.Queue[End] = asyncio.Queue()

    async def outward(port: int, end: End) -> None:
        while True:
            other = await waiting.get()
            if not other[0].at_eof():  # the other half may have ended, and begun anew
                break
        other[1].write(b"%d\n" % port)
        await _join(end, other)

    async def arrived(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        said, _, wish = (await reader.readline()).decode("ascii", "replace").strip().partition(" ")
        if said != token:
            writer.transport.abort()
        elif wish == "wait":
            waiting.put_nowait((reader, writer))
        else:
            await _to(int(wish), (reader, writer))

    for port in ports:
        await asyncio.start_server(lambda r, w, port=port: outward(port, (r, w)), _HERE, port)  # type: ignore[misc]
    await asyncio.start_server(arrived, "0.0.0.0", published)  # published on 127.0.0.1 only
    await _ready()


async def outside(published: int, ports: list[int]) -> None:
    """On this machine: listen on `ports`, those of the services, and serve those who want out."""
    token = os.environ[TOKEN]

    async def inward(port: int, end: End) -> None:
        other = await _reach(published)
        if other is None:
            end[1].transport.abort()
            return
        other[1].write(f"{token} {port}\n".encode())
        await _join(end, other)

    async def wait() -> None:
        while True:
            reader, writer = await asyncio.open_connection(_HERE, published)
            writer.write(f"{token} wait\n".encode())
            wish = await reader.readline()
            if not wish:
                raise ConnectionResetError("the other half of the tunnel has ended")
            joined = asyncio.create_task(_to(int(wish), (reader, writer)))
            under_way.add(joined)
            joined.add_done_callback(under_way.discard)

    under_way: set[asyncio.Task[None]] = set()
    for port in ports:
        await asyncio.start_server(lambda r, w, port=port: inward(port, (r, w)), _HERE, port)  # type: ignore[misc]
    await asyncio.gather(_ready(), *(wait() for _ in range(WAITING)))


async def _ready() -> None:
    print(json.dumps({"event": "tunnel.ready"}), flush=True)
    await asyncio.Event().wait()


def main() -> None:
    """Its arguments: which half, the published port, the ports to listen on."""
    half, published, *ports = sys.argv[1:]
    try:
        asyncio.run((inside if half == "inside" else outside)(int(published), [int(port) for port in ports]))
    except OSError as error:
        sys.exit(f"the tunnel has ended: {error}")


if __name__ == "__main__":
    main()
