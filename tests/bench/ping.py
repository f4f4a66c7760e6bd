"""`python -m tests.bench.ping QUEUE`: sends to a queue until SIGINT; prints how many milliseconds each send took."""

from __future__ import annotations

import json
import signal
import sys
import time

from peeklock.servicebus import Client, OutgoingMessage


def main() -> None:
    """Read the connection string from stdin."""
    stopping: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _: stopping.append(number))
    trips = []
    with Client(sys.stdin.readline().strip()) as client:
        client.send(sys.argv[1], [OutgoingMessage(b"ping")])
        print("connected", flush=True)
        while not stopping:
            began = time.perf_counter()
            client.send(sys.argv[1], [OutgoingMessage(b"ping")])
            trips.append((time.perf_counter() - began) * 1000)
    print(json.dumps(trips))


if __name__ == "__main__":
    main()
