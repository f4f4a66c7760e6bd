"""This machine's own addresses: listening on them, and telling them from others."""

from __future__ import annotations

import errno
import socket

BACKLOG = 1024
_TRIES = 10
_V4, _V6 = "127.0.0.1", "::1"


def is_loopback(host: str) -> bool:
    """True for an address or a name that nobody but this machine can reach."""
    bare = host.strip("[]").lower()
    if bare in ("localhost", _V6) or bare.endswith(".localhost"):
        return True
    return bare.startswith("127.") and all(part.isdecimal() for part in bare.split("."))


def bind(host: str, port: int) -> list[socket.socket]:
    """Listen on an address; on loopback under both of its addresses, since `localhost` may be either. Port 0 takes a free one.

    Raises `OSError` when the port is taken. Where only the second address cannot be had, the first one is enough.
    """
    if host not in ("localhost", _V4):
        family, *_, address = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[
            0
        ]
        return [socket.create_server((str(address[0]), port), family=family, backlog=BACKLOG)]
    for _ in range(_TRIES):
        first = socket.create_server((_V4, port), backlog=BACKLOG)
        try:
            second = socket.create_server((_V6, first.getsockname()[1]), family=socket.AF_INET6, backlog=BACKLOG)
        except OSError as error:
            if port or error.errno != errno.EADDRINUSE:
                return [first]
            first.close()  # somebody has that port of ::1: one that is free on both is better
        else:
            return [first, second]
    return [socket.create_server((_V4, port), backlog=BACKLOG)]
