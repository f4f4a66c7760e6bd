"""The AMQP 1.0 connection: bytes in, bytes and events out; no socket and no clock.

One class plays both roles. The owner feeds `receive`, acts on the events, and sends what `take_output` returns,
once a turn. Time is told by `tick(now)` alone.
"""

from __future__ import annotations

import itertools
import struct
from typing import Any

from . import decode, events, frames
from .caps import Caps, Usage
from .encode import described
from .errors import DECODE_ERROR, FRAMING_ERROR, NOT_ALLOWED, RESOURCE_LIMIT, AmqpError, DecodeError, ProtocolError
from .fields import UINT, uint
from .link import Link
from .output import MIN_MAX_FRAME_SIZE, Output
from .session import Session, read_error
from .session_channel import SessionChannel
from .types import Array, Symbol, UByte, UInt, UShort

MAX_FRAME_SIZE = 65_536
CHANNEL_MAX = 255
IDLE_TIMEOUT = 240.0

_u32 = struct.Struct(">I").unpack_from
_HEAD = struct.Struct(">IBBH").unpack_from


class Connection:
    """One end of a connection.

    `server` picks the role; `mechanisms` is what a server offers; `idle_timeout` (seconds) is advertised and enforced by
    `tick`. Malformed or forbidden input closes the connection with an error; `receive` never raises for what a peer sends.
    """

    def __init__(
        self,
        *,
        server: bool,
        container_id: str,
        hostname: str | None = None,
        mechanisms: tuple[str, ...] = ("MSSBCBS", "ANONYMOUS", "PLAIN"),
        idle_timeout: float = IDLE_TIMEOUT,
        max_frame_size: int = MAX_FRAME_SIZE,
    ) -> None:
        self.container_id = container_id
        self.mechanisms = mechanisms
        self.remote_container_id = ""
        self.opened = self.close_sent = self.closed = False
        self.sessions: dict[int, Session] = {}
        """Those that exist now, by their ids."""
        self.links: dict[int, Link] = {}
        """Those of all sessions, by their ids."""
        self.output = Output()
        self._usage = Usage()
        self._server = server
        self._hostname = hostname
        self._idle_timeout = idle_timeout
        self._max_frame_size = max_frame_size
        self._remote_idle_timeout = 0.0
        self._sasl_done = self._open_sent = False
        self._numbers = itertools.count(1)
        self._by_channel: dict[int, Session] = {}
        """By the peer's channel."""
        self._ended: set[int] = set()
        self._begun: dict[int, Session] = {}
        self._buffer = b""
        self._events: list[events.Event] = []
        self._emit = self._events.append
        self._header_expected = True
        self._bytes_in = 0
        self._seen_in = self._seen_out = -1
        self._in_at = self._out_at = 0.0

    @property
    def caps(self) -> Caps:
        """How much the peer may make us keep."""
        return self._usage.caps

    @caps.setter
    def caps(self, caps: Caps) -> None:
        self._usage.caps = caps

    @property
    def unfinished(self) -> int:
        """How many bytes it keeps of messages that are not complete yet."""
        return self._usage.unfinished

    # -- what the owner does

    def take_output(self) -> bytes:
        """Return all that is to be sent now, and forget it."""
        return self.output.take()

    def start(self) -> None:
        """Client: write the SASL header; the rest follows from the server's answers."""
        self.output.write(frames.SASL_HEADER)

    def sasl_outcome(self, ok: bool) -> None:
        """Server: answer a `SaslInit`; a refusal ends the connection."""
        self._sasl_done = ok
        self.output.write(frames.frame(0, described(frames.SASL_OUTCOME, UByte(0 if ok else 1), None), kind=1))
        self._header_expected = True
        if not ok:
            self._finish(AmqpError("amqp:unauthorized-access", "SASL authentication failed"))

    def open(self) -> None:
        """Write the open frame with all ten fields."""
        self._open_sent = True
        body = described(
            frames.OPEN, self.container_id, self._hostname, UInt(self._max_frame_size), UShort(CHANNEL_MAX),
            UInt(int(self._idle_timeout * 1000)), None, None, None, None, None,
        )  # fmt: skip
        self.output.write(frames.frame(0, body))

    def begin(self) -> Session:
        """Begin a session ourselves (the client's side)."""
        used = {session.channel.number for session in self.sessions.values()} | set(self._begun)
        channel = next(number for number in range(CHANNEL_MAX + 1) if number not in used)
        session = self._begun[channel] = self._new_session(channel)
        session.send_begin(None)
        return session

    def close(self, failure: AmqpError | None = None) -> None:
        """Close the connection from our side; a connection that is over says nothing more."""
        if self.close_sent or self.closed:
            return
        self.output.flush_dispositions()
        if not self._open_sent:
            self.open()
        self.close_sent = True
        self.output.write(frames.frame(0, described(frames.CLOSE, frames.error(failure))))

    def tick(self, now: float) -> float | None:
        """Tell the time: writes an empty frame when the peer needs one (half of its idle time-out), closes a
        connection that was silent for longer than ours; return when to call again, or None when it is over."""
        if self.closed:
            return None
        if self._bytes_in != self._seen_in:
            self._seen_in, self._in_at = self._bytes_in, now
        if self.output.writes != self._seen_out:
            self._seen_out, self._out_at = self.output.writes, now
        due = now + self._idle_timeout / 4 if self._idle_timeout else now + 60.0
        if self._idle_timeout and now - self._in_at >= self._idle_timeout:
            # twice what is said in the open frame is what a peer may take; here it is what we have said
            text = f"The connection was silent for longer than its idle time-out of {self._idle_timeout:g} s."
            self._fail(AmqpError("amqp:resource-limit-exceeded", text))
            return None
        if self._remote_idle_timeout and self.opened:
            half = self._remote_idle_timeout / 2
            if now - self._out_at >= half * 0.95:
                self.output.write(b"\x00\x00\x00\x08\x02\x00\x00\x00")
                self._seen_out, self._out_at = self.output.writes, now
            due = min(due, self._out_at + half)
        return due

    # -- input

    def receive(self, data: bytes) -> list[events.Event]:
        """Take bytes from the peer; return what they meant. An empty `data` returns events that were left."""
        self._bytes_in += len(data)
        if not self.closed:
            buffer = self._buffer + data if self._buffer else data
            try:
                self._buffer = buffer[self._parse(buffer) :]
            except DecodeError as error:
                self._fail(AmqpError(DECODE_ERROR, str(error)))
            except ProtocolError as error:
                self._fail(error)
            except RecursionError:
                self._fail(AmqpError(DECODE_ERROR, "values are nested too deep"))
            except (TypeError, ValueError, IndexError, struct.error) as error:
                # a field of the wrong type, such as a list where a handle belongs
                self._fail(AmqpError("amqp:invalid-field", f"a field has the wrong type or range ({error})"))
        result = self._events.copy()
        self._events.clear()
        return result

    def _parse(self, buf: bytes) -> int:
        pos, size_of_buffer = 0, len(buf)
        while not self.closed:
            if self._header_expected:
                if size_of_buffer - pos < 8:
                    # eight bytes decide; what cannot become a header is refused at once
                    if not b"AMQP".startswith(buf[pos : pos + 4]):
                        self._refuse_header()
                    break
                self._on_header(bytes(buf[pos : pos + 8]))
                pos += 8
                continue
            if size_of_buffer - pos < 8:
                break
            size, doff, kind, channel = _HEAD(buf, pos)
            if size > self._max_frame_size or size < 8 or doff < 2 or doff * 4 > size:
                raise ProtocolError(FRAMING_ERROR, f"a frame of {size} bytes with offset {doff} cannot be")
            end = pos + size
            if end > size_of_buffer:
                break
            body = pos + doff * 4
            pos = end
            if body != end:
                self._on_frame(kind, channel, bytes(buf[body:end]))
        return pos

    def _on_header(self, header: bytes) -> None:
        self._header_expected = False
        if header == frames.SASL_HEADER and not self._sasl_done:
            if self._server:
                self.output.write(frames.SASL_HEADER)
                offer = described(frames.SASL_MECHANISMS, Array.symbols(*self.mechanisms))
                self.output.write(frames.frame(0, offer, kind=1))
        elif header == frames.AMQP_HEADER and not (self._server is False and not self._sasl_done):
            if self._server:
                # only now: a header that comes before the client's own makes rhea wait for ever
                self.output.write(frames.AMQP_HEADER)
            self._sasl_done = True
        else:
            self._refuse_header()

    def _refuse_header(self) -> None:
        self.output.write(frames.SASL_HEADER)
        self._finish(AmqpError(FRAMING_ERROR, "the first bytes are not the header of AMQP 1.0 or its SASL layer"))

    def _on_frame(self, kind: int, channel: int, raw: bytes) -> None:
        if raw[:2] == b"\x00\x53" and len(raw) > 3:
            code, pos = raw[2], 3
        else:
            code, pos = decode.descriptor(raw, 0)
        if kind == 1:
            self._on_sasl(code, decode.fields(raw, pos)[0])
            return
        if kind != 0 or not self._sasl_done:
            raise ProtocolError(FRAMING_ERROR, f"a frame of type {kind} has no place here")
        if code == frames.TRANSFER:
            session = self._by_channel.get(channel)
            values, end = decode.fields(raw, pos)
            if session is not None:
                session.on_transfer(values, raw[end:])
            else:
                self._check_ended(channel)
            return
        if code == frames.OPEN:
            self._on_open(decode.fields(raw, pos)[0])
        elif not self.opened:
            raise ProtocolError(FRAMING_ERROR, "the first frame must be an open")
        elif code == frames.CLOSE:
            self._on_close(decode.fields(raw, pos)[0])
        elif code == frames.BEGIN:
            self._on_begin(channel, decode.fields(raw, pos)[0])
        else:
            session = self._by_channel.get(channel)
            if session is None:
                self._check_ended(channel)
            elif code == frames.DISPOSITION:
                session.on_disposition(raw, pos)
            elif code == frames.FLOW:
                session.on_flow(decode.fields(raw, pos)[0])
            elif code == frames.ATTACH:
                values = decode.value(raw, pos)[0]
                session.on_attach(values + [None] * (14 - len(values)))
            elif code == frames.DETACH:
                values = decode.fields(raw, pos)[0]
                session.on_detach(values + [None] * (3 - len(values)))
            elif code == frames.END:
                self._on_end(channel, session, decode.fields(raw, pos)[0])
            else:
                raise ProtocolError(FRAMING_ERROR, f"0x{code:02x} is not a performative")

    def _check_ended(self, channel: int) -> None:
        """Frames for a channel that was ended are ignored: azure-servicebus detaches after its end."""
        if channel not in self._ended:
            raise ProtocolError(NOT_ALLOWED, f"channel {channel} has no session")

    def _on_sasl(self, code: int, values: list[Any]) -> None:
        if self._sasl_done:
            raise ProtocolError(FRAMING_ERROR, "the SASL exchange is over")
        if code == frames.SASL_INIT and self._server and values:
            response = values[1] if len(values) > 1 and isinstance(values[1], bytes) else b""
            self._emit(events.SaslInit(str(values[0]), response))
        elif code == frames.SASL_MECHANISMS and not self._server:
            if self._hostname is None:
                self._hostname = "localhost"
            body = described(frames.SASL_INIT, Symbol("ANONYMOUS"), b"", self._hostname)
            self.output.write(frames.frame(0, body, kind=1))
        elif code == frames.SASL_OUTCOME and not self._server:
            ok = bool(values) and values[0] == 0
            self._sasl_done = self._header_expected = ok
            if ok:
                self.output.write(frames.AMQP_HEADER)
            self._emit(events.SaslDone(ok))
        else:
            raise ProtocolError(FRAMING_ERROR, f"SASL frame 0x{code:02x} has no place here")

    def _on_open(self, values: list[Any]) -> None:
        if self.opened:
            raise ProtocolError(NOT_ALLOWED, "the connection is open already")
        values += [None] * (10 - len(values))
        self.opened = True
        self.remote_container_id = str(values[0] or "")
        size = uint(values[2], UINT)
        if size < MIN_MAX_FRAME_SIZE:
            raise ProtocolError("amqp:invalid-field", f"max-frame-size {size} is below {MIN_MAX_FRAME_SIZE}")
        self.output.max_frame_size = min(size, 1 << 20)
        self._remote_idle_timeout = uint(values[4]) / 1000
        if not self._open_sent:
            self.open()
        self._emit(events.Opened(self.remote_container_id, values[1] if isinstance(values[1], str) else None))

    def _on_begin(self, channel: int, values: list[Any]) -> None:
        values += [None] * (8 - len(values))
        if channel > CHANNEL_MAX or channel in self._by_channel:
            raise ProtocolError(NOT_ALLOWED, f"channel {channel} is in use or past channel-max")
        if len(self._by_channel) >= (most := self._usage.caps.sessions):
            raise ProtocolError(RESOURCE_LIMIT, f"this connection may have {most} sessions at a time")
        if values[0] is None:
            session = self._new_session(channel)
        else:
            begun = self._begun.pop(values[0], None)
            if begun is None:
                raise ProtocolError(NOT_ALLOWED, f"remote-channel {values[0]} was never begun")
            session = begun
        session.read_begin(values)
        self._by_channel[channel] = session
        self._ended.discard(channel)
        if not session.begin_sent:
            session.send_begin(channel)
        self._emit(events.SessionBegun(session.id))

    def _new_session(self, channel: int) -> Session:
        session_channel = SessionChannel(channel, next(self._numbers), self.output, self._usage)
        session = Session(session_channel, self._numbers, self.links, self._emit)
        self.sessions[session.id] = session
        return session

    def _on_end(self, channel: int, session: Session, values: list[Any]) -> None:
        del self._by_channel[channel]
        self._ended.add(channel)
        session.drop_links()
        session.end()
        del self.sessions[session.id]
        self._emit(events.SessionEnded(session.id, read_error(values[0]) if values else None))

    def _on_close(self, values: list[Any]) -> None:
        failure = read_error(values[0]) if values else None
        self.close()
        self._finish(failure)

    def _fail(self, failure: AmqpError) -> None:
        """Close with an error, and be done with this peer."""
        if self._sasl_done:
            self.close(failure)
        self._finish(failure)

    def _finish(self, failure: AmqpError | None) -> None:
        self.closed = True
        self._buffer = b""
        sessions = list(self.sessions.values())
        self.sessions.clear()
        self._by_channel.clear()
        for session in sessions:
            session.drop_links()
            session.channel.ended = True
        self._emit(events.Closed(failure))
