"""Healthy: a service that has a PORT says so on /health; one that has none runs, or this container would have ended."""

import os
import socket
import sys

port = os.environ.get("PORT")
if port:
    with socket.create_connection(("127.0.0.1", int(port)), timeout=2) as peer:
        peer.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        sys.exit(b" 200 " not in peer.recv(64).partition(b"\r\n")[0])
