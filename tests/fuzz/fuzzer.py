"""A broker in this process, and clients whose words are spoilt on their way to it."""

from __future__ import annotations

import asyncio
import random
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import SimpleNamespace
from unittest import mock

from peeklock.servicebus import Client
from peeklock.servicebus.auth import AccessRule
from peeklock.servicebus.broker import ManualClock
from peeklock.servicebus.client import channel
from peeklock.servicebus.emulator import connection_string
from peeklock.servicebus.gateway.server import Server
from tests.fuzz.conversation import CONVERSATIONS, TOPOLOGY
from tests.fuzz.mutation import frames_of, mutated
from tests.fuzz.request import REQUESTS
from tests.fuzz.transport import MemoryTransport

MOST_SECONDS = 5.0
"""Of CPU, that one thing said may cost: far more than any takes, far less than a hang."""
_TLS = b"\x16\x03"


class Finding(BaseException):
    """Something that hostile input must not do; no client of ours catches it."""


class _Line:
    """The socket of a client: what it says is spoilt at one frame, sometimes at more, and fed to the broker at once."""

    def __init__(self, fuzzer: Fuzzer, transport: MemoryTransport, spoil_in: int) -> None:
        self.said: list[bytes] = []
        self._fuzzer = fuzzer
        self._transport = transport
        self._timeout = 0.0
        self._spoil_in = spoil_in

    def sendall(self, data: bytes) -> None:
        rng = self._fuzzer.rng
        for frame in frames_of(data):
            self._fuzzer.frames += 1
            self.said.append(frame)
            self._spoil_in -= 1
            if self._spoil_in < 0:
                self._spoil_in = rng.choice((0, 1, 5, 30))
                frame = mutated(frame, rng)
                self._fuzzer.spoilt += 1
            self._fuzzer.feed(self._transport, frame)
        if self._transport.is_closing():
            raise ConnectionResetError

    def recv(self, size: int) -> bytes:
        data = bytes(self._transport.written[:size])
        del self._transport.written[:size]
        if data:
            return data
        if self._timeout > 0.001:
            raise ConnectionResetError  # nothing more will come
        raise TimeoutError

    def settimeout(self, seconds: float) -> None:
        self._timeout = seconds

    def setsockopt(self, *_: int) -> None:
        pass

    def close(self) -> None:
        self._transport.lose()


class Fuzzer:
    """Runs conversations and HTTP requests against one broker; `frames` counts what was said, `spoilt` what was wrong in it.

    Raises `Finding` for what must not be, with the seed of the conversation, which plays it again.
    """

    def __init__(self) -> None:
        self.clock = ManualClock(time.time())
        self.server = Server("sbemulatorns", TOPOLOGY, self.clock, log=self._log)
        self.failed: list[str] = []
        self.rng = random.Random()
        self.frames = self.spoilt = 0
        self.records = [record for conversation in CONVERSATIONS for record in self._record(conversation)]

    def _log(self, event: str, **fields: object) -> None:
        """Keep what the broker tells of its own errors: it answers them, which hides them."""
        if fields.get("level") == "error":
            self.failed.append(f"{event}: {fields}")

    async def play(self, seed: int) -> None:
        """Have one conversation or one HTTP request, all chance in it from `seed`."""
        self.rng = random.Random(seed)
        random.seed(seed)
        cursor = self.server.namespace.ledger.cursor
        known = self.rng.random() < 0.8
        key = AccessRule() if known else AccessRule(key="not-the-key")
        try:
            kind = self.rng.random()
            if kind < 0.2:
                self._converse(key)
            elif kind < 0.9:
                known = True  # the records have the key
                self._repeat()
            else:
                await self._request(key)
            self.clock.advance(self.rng.choice((0, 0, 1, 70, 4_000)))
            self.server.run_due()
            if not known and self._foreign_events(cursor):
                raise Finding(f"somebody without the key did: {self._foreign_events(cursor)}")
            if self.server.context.connections.amqp:
                raise Finding(f"connections stay: {self.server.context.connections.amqp}")
            self._check()
            if self.failed:
                raise Finding(self.failed.pop())
        except Exception as error:
            raise Finding(f"seed {seed}: {type(error).__name__}: {error}") from error
        except Finding as finding:
            raise Finding(f"seed {seed}: {finding}") from finding
        if self.rng.random() < 0.05:
            self.server.administration.reset()

    def _foreign_events(self, cursor: int) -> list[str]:
        by_time = {"lock_expired", "activated", "expired", "enqueued", "dead_lettered", "published"}
        entries = self.server.namespace.ledger.entries(cursor)
        return [
            e.event
            for e in entries
            if e.event not in by_time or (e.message and e.message.content and e.message.content.sender == "nobody")
        ]

    def feed(self, transport: MemoryTransport, data: bytes) -> None:
        """Feed one piece; whatever it is, the broker neither fails nor hangs."""
        began = time.process_time()
        try:
            transport.feed(data)
        except Exception as error:
            raise Finding(f"{type(error).__name__}: {error}; fed {data[:60]!r}") from error
        if self.failed:
            raise Finding(f"{self.failed.pop()}; fed {data[:60]!r}")
        if time.process_time() - began > MOST_SECONDS:
            raise Finding(f"{len(data)} bytes kept it busy for {time.process_time() - began:.1f} s: {data[:60]!r}")

    def _converse(self, rule: AccessRule) -> None:
        """Let a client live with a broker that hears it wrongly."""
        spoil_in = self.rng.randrange(40)
        # a client that was spoilt may fail in any way
        with self._client(rule, spoil_in) as (client, _), suppress(Exception):
            self.rng.choice(CONVERSATIONS)(client, self.rng)

    def _repeat(self) -> None:
        """Say again what a client said once, half of it wrong from some point on."""
        rng = self.rng
        record = rng.choice(self.records)
        transport = MemoryTransport(self.server.protocol())
        start = rng.randrange(len(record))
        for number, frame in enumerate(record):
            wrong = number >= start and rng.random() < 0.5
            self.frames += 1
            self.spoilt += wrong
            self.feed(transport, mutated(frame, rng) if wrong else frame)
            if transport.is_closing():
                break
        transport.lose()

    def _record(self, conversation: Callable[[Client, random.Random], None]) -> list[list[bytes]]:
        """Return what a client says, connection by connection, that is understood."""
        with self._client(AccessRule(), 1_000_000) as (client, lines):
            conversation(client, self.rng)
        self.server.administration.reset()
        return [line.said for line in lines]

    @contextmanager
    def _client(self, rule: AccessRule, spoil_in: int) -> Iterator[tuple[Client, list[_Line]]]:
        """A client that is spoilt after so many frames, and its connections."""
        lines: list[_Line] = []

        def connect(*_: object) -> _Line:
            lines.append(_Line(self, MemoryTransport(self.server.protocol()), spoil_in))
            return lines[-1]

        fake = SimpleNamespace(
            create_connection=connect, IPPROTO_TCP=socket.IPPROTO_TCP, TCP_NODELAY=socket.TCP_NODELAY
        )
        with mock.patch.object(channel, "socket", fake):
            client = Client(connection_string("localhost", 1, rule), timeout=1.0)
            try:
                yield client, lines
            finally:
                with suppress(Exception):  # its last words may be spoilt, too
                    client.close()
                for line in lines:
                    line.close()

    async def _request(self, rule: AccessRule) -> None:
        raw = self.rng.choice(REQUESTS)(rule)
        self.frames += 1
        self.spoilt += 1
        data = mutated(raw, self.rng) if self.rng.random() < 0.9 else raw
        if data.startswith(_TLS):
            return  # that is for the TLS library, which needs a real socket
        transport = MemoryTransport(self.server.protocol())
        middle = self.rng.randrange(len(data) + 1)
        for part in (data[:middle], data[middle:]):
            self.feed(transport, part)
            for _ in range(6):
                await asyncio.sleep(0)
        transport.lose()
        for _ in range(3):
            await asyncio.sleep(0)

    def _check(self) -> None:
        """Count what every entity holds: no message is lost or counted twice."""
        for entity in self.server.namespace.entities():
            for part in entity.parts():
                found = part.peek(0, 1_000_000)
                states = [message.state.split()[0] for message in found]
                log = part.log
                counted = (log.active, log.locked, log.deferred, log.scheduled)
                truth = tuple(states.count(state) for state in ("active", "locked", "deferred", "scheduled"))
                if counted != truth or log.size_in_bytes != sum(message.content.size for message in found):
                    raise Finding(f"{part.name}: counts {counted}, has {truth}, {log.size_in_bytes} bytes")
