"""Healthy: /health says so, on the data port or on the one that PEEKLOCK_HEALTH_PORT names."""

import os
import socket
import sys

with socket.create_connection(("127.0.0.1", int(os.environ.get("PEEKLOCK_HEALTH_PORT", "5672"))), timeout=2) as peer:
    peer.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    sys.exit(b" 200 " not in peer.recv(64).partition(b"\r\n")[0])
