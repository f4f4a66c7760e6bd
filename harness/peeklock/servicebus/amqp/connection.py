"""The AMQP 1.0 connection: bytes in, bytes and events out; no socket and no clock.

One class plays both roles. The owner feeds `receive`, acts on the events, and sends what `take_output` returns,
once a turn. Time is told by `tick(now)` alone.
"""

from __future__ import annotations

import struct
from typing import Any

from . import decode, events, frames
from .caps import Caps
from .encode import described
from .errors import DECODE_ERROR, FRAMING_ERROR, NOT_ALLOWED, RESOURCE_LIMIT, AmqpError, DecodeError, ProtocolError
from .fields import UINT, uint
from .session import Session, read_error
from .types import Array, Symbol, UByte, UInt, UShort

MAX_FRAME_SIZE = 65_536
CHANNEL_MAX = 255
IDLE_TIMEOUT = 240.0
MIN_MAX_FRAME_SIZE = 512

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
        self.server = server
        self.container_id = container_id
        self.hostname = hostname
        self.mechanisms = mechanisms
        self.idle_timeout = idle_timeout
        self.max_frame_size = max_frame_size
        self.remote_max_frame_size = MIN_MAX_FRAME_SIZE
        self.remote_container_id = ""
        self.remote_hostname: str | None = None
        self.remote_idle_timeout = 0.0
        self.caps = Caps()
        self.unfinished = 0
        """How many bytes there are of messages that are not whole yet."""
        self.sasl_done = False
        self.open_sent = self.opened = self.close_sent = self.closed = False
        self.sessions: dict[int, Session] = {}
        """By the peer's channel."""
        self._ended: set[int] = set()
        self._begun: dict[int, Session] = {}
        self._buffer = b""
        self._out: list[bytes] = []
        self._events: list[events.Event] = []
        self._pending: tuple[int, bool, int, int, bytes, bool] | None = None
        self._header_expected = True
        self._bytes_in = self._writes = 0
        self._seen_in = self._seen_out = -1
        self._in_at = self._out_at = 0.0

    # -- output

    def write(self, raw: bytes, payload: bytes = b"") -> None:
        """Queue bytes for the peer."""
        self._out.append(raw)
        if payload:
            self._out.append(payload)
        self._writes += 1

    def take_output(self) -> bytes:
        """Return all that is to be sent now, and forget it."""
        if self._pending is not None:
            self.flush_dispositions()
        if len(self._out) == 1:
            return self._out.pop()
        raw = b"".join(self._out)
        self._out.clear()
        return raw

    def emit(self, event: events.Event) -> None:
        """Queue an event for the owner; `receive` returns it."""
        self._events.append(event)

    def queue_disposition(self, channel: int, receiver: bool, delivery_id: int, state: bytes, settled: bool) -> None:
        """Write a disposition, joined with the one before when it continues its range with the same outcome."""
        pending = self._pending
        if pending is not None:
            if (
                pending[3] + 1 == delivery_id
                and pending[4] == state
                and pending[0] == channel
                and pending[1] == receiver
                and pending[5] == settled
            ):
                self._pending = (channel, receiver, pending[2], delivery_id, state, settled)
                return
            self.flush_dispositions()
        self._pending = (channel, receiver, delivery_id, delivery_id, state, settled)

    def flush_dispositions(self) -> None:
        """Write the range of dispositions that is being joined."""
        if self._pending is not None:
            channel, receiver, first, last, state, settled = self._pending
            self._pending = None
            self.write(frames.disposition(channel, receiver, first, last, settled, state))

    # -- what the owner does

    def start(self) -> None:
        """Client: write the SASL header; the rest follows from the server's answers."""
        self.write(frames.SASL_HEADER)

    def sasl_init(self, mechanism: str, response: bytes) -> None:
        """Client: choose a mechanism."""
        body = described(frames.SASL_INIT, Symbol(mechanism), response, self.hostname)
        self.write(frames.frame(0, body, kind=1))

    def sasl_outcome(self, ok: bool) -> None:
        """Server: answer a `SaslInit`; a refusal ends the connection."""
        self.sasl_done = ok
        self.write(frames.frame(0, described(frames.SASL_OUTCOME, UByte(0 if ok else 1), None), kind=1))
        self._header_expected = True
        if not ok:
            self._finish(AmqpError("amqp:unauthorized-access", "SASL authentication failed"))

    def open(self) -> None:
        """Write the open frame with all ten fields."""
        self.open_sent = True
        body = described(
            frames.OPEN, self.container_id, self.hostname, UInt(self.max_frame_size), UShort(CHANNEL_MAX),
            UInt(int(self.idle_timeout * 1000)), None, None, None, None, None,
        )  # fmt: skip
        self.write(frames.frame(0, body))

    def begin(self) -> Session:
        """Begin a session ourselves (the client's side)."""
        used = {session.channel for session in self.sessions.values()} | set(self._begun)
        channel = next(number for number in range(CHANNEL_MAX + 1) if number not in used)
        session = Session(self, channel)
        self._begun[channel] = session
        session.send_begin()
        return session

    def close(self, failure: AmqpError | None = None) -> None:
        """Close the connection from our side."""
        if self.close_sent:
            return
        self.flush_dispositions()
        if not self.open_sent:
            self.open()
        self.close_sent = True
        self.write(frames.frame(0, described(frames.CLOSE, frames.error(failure))))

    def tick(self, now: float) -> float | None:
        """Tell the time: writes an empty frame when the peer needs one (half of its idle time-out), closes a
        connection that was silent for longer than ours; return when to call again, or None when it is over."""
        if self.closed:
            return None
        if self._bytes_in != self._seen_in:
            self._seen_in, self._in_at = self._bytes_in, now
        if self._writes != self._seen_out:
            self._seen_out, self._out_at = self._writes, now
        due = now + self.idle_timeout / 4 if self.idle_timeout else now + 60.0
        if self.idle_timeout and now - self._in_at >= self.idle_timeout:
            # twice what is said in the open frame is what a peer may take; here it is what we have said
            text = f"The connection was silent for longer than its idle time-out of {self.idle_timeout:g} s."
            self._fail(AmqpError("amqp:resource-limit-exceeded", text))
            return None
        if self.remote_idle_timeout and self.opened:
            half = self.remote_idle_timeout / 2
            if now - self._out_at >= half * 0.95:
                self.write(b"\x00\x00\x00\x08\x02\x00\x00\x00")
                self._seen_out, self._out_at = self._writes, now
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
        result, self._events = self._events, []
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
            if size > self.max_frame_size or size < 8 or doff < 2 or doff * 4 > size:
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
        if header == frames.SASL_HEADER and not self.sasl_done:
            if self.server:
                self.write(frames.SASL_HEADER)
                offer = described(frames.SASL_MECHANISMS, Array.symbols(*self.mechanisms))
                self.write(frames.frame(0, offer, kind=1))
        elif header == frames.AMQP_HEADER and not (self.server is False and not self.sasl_done):
            if self.server:
                # only now: a header that comes before the client's own makes rhea wait for ever
                self.write(frames.AMQP_HEADER)
            self.sasl_done = True
        else:
            self._refuse_header()

    def _refuse_header(self) -> None:
        self.write(frames.SASL_HEADER)
        self._finish(AmqpError(FRAMING_ERROR, "the first bytes are not the header of AMQP 1.0 or its SASL layer"))

    def _on_frame(self, kind: int, channel: int, raw: bytes) -> None:
        if raw[:2] == b"\x00\x53" and len(raw) > 3:
            code, pos = raw[2], 3
        else:
            code, pos = decode.descriptor(raw, 0)
        if kind == 1:
            self._on_sasl(code, decode.fields(raw, pos)[0])
            return
        if kind != 0 or not self.sasl_done:
            raise ProtocolError(FRAMING_ERROR, f"a frame of type {kind} has no place here")
        if code == frames.TRANSFER:
            session = self.sessions.get(channel)
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
            session = self.sessions.get(channel)
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
        if self.sasl_done:
            raise ProtocolError(FRAMING_ERROR, "the SASL exchange is over")
        if code == frames.SASL_INIT and self.server and values:
            response = values[1] if len(values) > 1 and isinstance(values[1], bytes) else b""
            self.emit(events.SaslInit(str(values[0]), response))
        elif code == frames.SASL_MECHANISMS and not self.server:
            if self.hostname is None:
                self.hostname = "localhost"
            self.sasl_init("ANONYMOUS", b"")
        elif code == frames.SASL_OUTCOME and not self.server:
            ok = bool(values) and values[0] == 0
            self.sasl_done = self._header_expected = ok
            if ok:
                self.write(frames.AMQP_HEADER)
            self.emit(events.SaslDone(ok))
        else:
            raise ProtocolError(FRAMING_ERROR, f"SASL frame 0x{code:02x} has no place here")

    def _on_open(self, values: list[Any]) -> None:
        if self.opened:
            raise ProtocolError(NOT_ALLOWED, "the connection is open already")
        values += [None] * (10 - len(values))
        self.opened = True
        self.remote_container_id = str(values[0] or "")
        self.remote_hostname = values[1] if isinstance(values[1], str) else None
        size = uint(values[2], UINT)
        if size < MIN_MAX_FRAME_SIZE:
            raise ProtocolError("amqp:invalid-field", f"max-frame-size {size} is below {MIN_MAX_FRAME_SIZE}")
        self.remote_max_frame_size = min(size, 1 << 20)
        self.remote_idle_timeout = uint(values[4]) / 1000
        if not self.open_sent:
            self.open()
        self.emit(events.Opened(self.remote_container_id, self.remote_hostname))

    def _on_begin(self, channel: int, values: list[Any]) -> None:
        values += [None] * (8 - len(values))
        if channel > CHANNEL_MAX or channel in self.sessions:
            raise ProtocolError(NOT_ALLOWED, f"channel {channel} is in use or past channel-max")
        if len(self.sessions) >= self.caps.sessions:
            raise ProtocolError(RESOURCE_LIMIT, f"this connection may have {self.caps.sessions} sessions at a time")
        if values[0] is None:
            session = Session(self, channel)
        else:
            begun = self._begun.pop(values[0], None)
            if begun is None:
                raise ProtocolError(NOT_ALLOWED, f"remote-channel {values[0]} was never begun")
            session = begun
        session.remote_channel = channel
        session.read_begin(values)
        self.sessions[channel] = session
        self._ended.discard(channel)
        if not session.begin_sent:
            session.send_begin()
        self.emit(events.SessionBegun(session))

    def _on_end(self, channel: int, session: Session, values: list[Any]) -> None:
        del self.sessions[channel]
        self._ended.add(channel)
        session.drop_links()
        session.end()
        self.emit(events.SessionEnded(session, read_error(values[0]) if values else None))

    def _on_close(self, values: list[Any]) -> None:
        failure = read_error(values[0]) if values else None
        self.close()
        self._finish(failure)

    def _fail(self, failure: AmqpError) -> None:
        """Close with an error, and be done with this peer."""
        if self.sasl_done:
            self.close(failure)
        self._finish(failure)

    def _finish(self, failure: AmqpError | None) -> None:
        self.closed = True
        self._buffer = b""
        sessions = list(self.sessions.values())
        self.sessions.clear()
        for session in sessions:
            session.drop_links()
            session.end_sent = True
        self.emit(events.Closed(failure))
