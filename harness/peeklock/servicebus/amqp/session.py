"""Sessions: windows, handles and unsettled deliveries of one channel."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from . import decode, events, frames, serial
from .encode import described
from .errors import RESOURCE_LIMIT, UNATTACHED_HANDLE, AmqpError, ProtocolError
from .fields import uint
from .link import Link, Receiver, Sender
from .types import Described, UInt, UShort

if TYPE_CHECKING:
    from .connection import Connection

WINDOW = 65_535
HANDLE_MAX = 1023
_EXACT = (frames.REJECTED_CODE, frames.MODIFIED_CODE, frames.TRANSACTIONAL)
_SHORT_TAGS = (16, 0)
_REMEMBERED = 5_000
_TRANSFER_OVERHEAD = 50  # header and performative of a transfer with a 16-byte tag and message-format 0


class Session:
    """One session; made by `Connection` when a begin is sent or received."""

    def __init__(self, connection: Connection, channel: int) -> None:
        self.connection = connection
        self.channel = channel
        self.remote_channel: int | None = None
        self.begin_sent = False
        self.end_sent = False
        self.next_outgoing_id = 0
        self.next_delivery_id = 0
        self.next_incoming_id: int | None = None
        self.incoming_window = WINDOW
        self.remote_window = 0
        self.remote_handle_max = HANDLE_MAX
        self.links: dict[int, Link] = {}
        """By our handle."""
        self._by_remote: dict[int, Link] = {}
        self._awaited: dict[tuple[str, bool], Link] = {}
        self._unsettled: dict[int, tuple[Link, Any]] = {}
        self._forgotten: deque[int] = deque(maxlen=_REMEMBERED)
        """Deliveries of links that are closed: what is still said of them is ignored."""
        self._waiting: deque[tuple[Link, bytes]] = deque()
        self.context: Any = None

    # -- begin and end

    def send_begin(self) -> None:
        """Write a begin frame with all eight fields."""
        self.begin_sent = True
        remote = None if self.remote_channel is None else UShort(self.remote_channel)
        self.write(
            described(
                frames.BEGIN,
                remote,
                UInt(self.next_outgoing_id),
                UInt(WINDOW),
                UInt(WINDOW),
                UInt(HANDLE_MAX),
                None,
                None,
                None,
            )
        )

    def read_begin(self, fields: list[Any]) -> None:
        """Take over the peer's windows and first transfer-id."""
        self.next_incoming_id = uint(fields[1])
        self.remote_window = uint(fields[2])
        self.remote_handle_max = uint(fields[4], HANDLE_MAX)

    def end(self, failure: AmqpError | None = None) -> None:
        """End the session from our side."""
        if not self.end_sent:
            self.connection.flush_dispositions()
            self.end_sent = True
            self.write(described(frames.END, frames.error(failure)), force=True)

    def write(self, body: bytes, *, force: bool = False) -> None:
        """Write one performative on this session's channel, unless the session is over."""
        if force or not self.end_sent:
            self.connection.write(frames.frame(self.channel, body))

    # -- links

    def attach(
        self,
        link_type: type[Link],
        name: str,
        *,
        source: Any,
        target: Any,
        snd_settle_mode: int = 0,
        rcv_settle_mode: int = 0,
        properties: dict[str, Any] | None = None,
        max_message_size: int = 0,
    ) -> Link:
        """Attach a link ourselves (the client's side); the peer's answer comes as `LinkAttached`."""
        link = link_type(self, name, self._free_handle())
        link.snd_settle_mode, link.rcv_settle_mode = snd_settle_mode, rcv_settle_mode
        link.max_message_size = max_message_size
        self.links[link.handle] = link
        self._awaited[name, link.is_sender] = link
        link.send_attach(source, target, properties, max_message_size)
        return link

    def on_attach(self, fields: list[Any]) -> None:
        """A peer's attach: the answer to ours, or a new link for the owner to accept or refuse."""
        name, handle, peer_receives = str(fields[0]), uint(fields[1]), bool(fields[2])
        if handle > HANDLE_MAX or handle in self._by_remote:
            raise ProtocolError("amqp:session:handle-in-use", f"handle {handle!r} is in use or past handle-max")
        link = self._awaited.pop((name, peer_receives), None)
        if link is None:
            caps = self.connection.caps
            if sum(len(session.links) for session in self.connection.sessions.values()) >= caps.links:
                raise ProtocolError(RESOURCE_LIMIT, f"this connection may have {caps.links} links at a time")
            link = (Sender if peer_receives else Receiver)(self, name, self._free_handle())
            link.snd_settle_mode, link.rcv_settle_mode = uint(fields[3], 2, 2), uint(fields[4], 0, 1)
            self.links[link.handle] = link
        link.read_attach(fields)
        self._by_remote[handle] = link
        self.connection.emit(events.LinkAttached(link))

    def on_detach(self, fields: list[Any]) -> None:
        """A peer's detach: answer it if we have not begun it, and free both handles."""
        link = self._by_remote.pop(fields[0], None)
        if link is None:
            return
        self.links.pop(link.handle, None)
        link.discard()
        begun_here = link.detach_sent
        if not begun_here:
            link.detach()
        self.connection.emit(events.LinkDetached(link, read_error(fields[2])))

    def _free_handle(self) -> int:
        limit = min(HANDLE_MAX, self.remote_handle_max)
        handle = len(self.links)
        if handle in self.links:
            handle = next((number for number in range(limit + 1) if number not in self.links), limit + 1)
        if handle > limit:
            raise ProtocolError("amqp:resource-limit-exceeded", f"a session has at most {limit + 1} links")
        return handle

    def drop_links(self) -> None:
        """Forget all links, telling the owner of each."""
        links = list(self.links.values())
        self.links.clear()
        self._by_remote.clear()
        self._unsettled.clear()
        self._waiting.clear()
        for link in links:
            link.discard()
            link.detach_sent = True
            self.connection.emit(events.LinkDetached(link, None))

    def unsettled_of(self, link: Link) -> list[int]:
        """Return the delivery-ids that a link's peer has not answered."""
        return [number for number, (owner, _) in self._unsettled.items() if owner is link]

    def forget_unsettled(self, link: Link) -> None:
        """Drop a closing link's unsettled deliveries: their locks live on in the broker, not here (S-46)."""
        if link.is_sender:
            gone = self.unsettled_of(link)
            for number in gone:
                del self._unsettled[number]
            self._forgotten.extend(gone)

    # -- flow

    def on_flow(self, fields: list[Any]) -> None:
        """A peer's flow: the session's window, and the credit of one link."""
        fields += [None] * (11 - len(fields))
        end_of_window = serial.add(uint(fields[0]), uint(fields[1]))
        self.remote_window = max(0, serial.distance(self.next_outgoing_id, end_of_window))
        if self._waiting:
            self._release_waiting()
        handle = fields[4]
        if handle is None:
            if fields[9]:
                self.write_session_flow()
            for link in list(self.links.values()):
                if isinstance(link, Sender) and link.credit:
                    self.connection.emit(events.Credit(link))
            return
        linked = self._linked(handle)
        if isinstance(linked, Sender):
            linked.read_flow(fields[5], fields[6], bool(fields[8]))
            self.connection.emit(events.Credit(linked))
        elif isinstance(linked, Receiver):
            linked.read_flow(fields[5], bool(fields[8]))
        if fields[9] and isinstance(linked, Sender | Receiver):
            self.write_flow(linked, max(0, linked.credit))

    def write_flow(self, link: Sender | Receiver, credit: int, *, drain: bool = False, echo: bool = False) -> None:
        """Write a flow for one link; it also opens our incoming window again."""
        if link.detach_sent or self.end_sent or not link.attach_sent:
            return
        self.incoming_window = WINDOW
        state = (link.handle, link.delivery_count, credit, None, drain)
        self.connection.write(frames.flow(self.channel, self._window(), state, echo))

    def write_session_flow(self) -> None:
        """Write a flow for the session alone: only to peers that asked with echo (older clients trip over it)."""
        self.incoming_window = WINDOW
        self.connection.write(frames.flow(self.channel, self._window()))

    def _window(self) -> tuple[int | None, int, int, int]:
        return self.next_incoming_id, self.incoming_window, self.next_outgoing_id, WINDOW

    def _linked(self, handle: int) -> Link | None:
        link = self._by_remote.get(handle)
        if link is None:
            # after our own detach the peer may not have read it yet; its handle is freed when it answers
            raise ProtocolError(UNATTACHED_HANDLE, f"handle {handle} is not attached")
        return None if link.detach_sent else link

    # -- transfers

    def on_transfer(self, fields: list[Any], payload: bytes) -> None:
        """A peer's transfer: hand the message over when its last part is there."""
        self.next_incoming_id = ((self.next_incoming_id or 0) + 1) & serial.MASK
        self.incoming_window -= 1
        if len(fields) < 5:
            fields += [None] * (5 - len(fields))
        link = self._by_remote.get(fields[0])
        if link is None:
            raise ProtocolError(UNATTACHED_HANDLE, f"handle {fields[0]} is not attached")
        if link.detach_sent or not isinstance(link, Receiver):
            return
        whole = link.take(fields, payload)
        if self.incoming_window <= WINDOW >> 1:
            self.write_flow(link, max(0, link.credit))
        if whole is not None:
            state = link.state
            if state is not None:
                link.state = None
            self.connection.emit(events.Delivery(link, *whole, state))

    def send_transfers(
        self,
        link: Link,
        payload: bytes,
        tag: bytes,
        settled: bool,
        message_format: int,
        context: Any,
        state: Any = None,
    ) -> int:
        """Cut a message into transfers and write those for which there is window; return the delivery-id."""
        delivery_id = self.next_delivery_id
        self.next_delivery_id = (delivery_id + 1) & serial.MASK
        if not settled:
            self._unsettled[delivery_id] = (link, context)
        size = len(payload)
        room = self.connection.remote_max_frame_size - _TRANSFER_OVERHEAD
        short = message_format == 0 and len(tag) in _SHORT_TAGS and state is None
        if size <= room and short and self.remote_window > 0 and not self._waiting:
            self.connection.write(
                frames.short_transfer(self.channel, link.handle, delivery_id, tag, settled, False, size), payload
            )
            self.next_outgoing_id = (self.next_outgoing_id + 1) & serial.MASK
            self.remote_window -= 1
            return delivery_id
        room -= 32 if state is None else 332  # the general form of the performative is longer
        for start in range(0, max(size, 1), room):
            part = payload[start : start + room]
            more = start + room < size
            raw = frames.transfer(
                self.channel, link.handle, delivery_id, tag, message_format, settled, more, bytes(part), state
            )
            if self.remote_window > 0 and not self._waiting:
                self._write_transfer(raw)
            else:
                self._waiting.append((link, raw))
        return delivery_id

    def _write_transfer(self, raw: bytes) -> None:
        self.connection.write(raw)
        self.next_outgoing_id = serial.add(self.next_outgoing_id, 1)
        self.remote_window -= 1

    def _release_waiting(self) -> None:
        while self._waiting and self.remote_window > 0:
            link, raw = self._waiting.popleft()
            if not link.detach_sent:
                self._write_transfer(raw)

    # -- dispositions

    def on_disposition(self, raw: bytes, pos: int) -> None:
        """A peer's disposition: an `Outcome` for each delivery of ours that it names.

        The range comes from the peer, so what is walked is what we track, never the range (S-45). What is said of a link's
        deliveries after its detach is ignored: azure-servicebus takes an answer to that for one to a request of its own
        that has the same number, and fails although it was done.
        """
        completed = frames.read_completion(raw)
        if completed is not None:
            first, settled = completed
            self._emit_outcome(first, settled, frames.ACCEPTED_CODE, [])
            return
        fields = decode.fields(raw, pos)[0]
        fields += [None] * (5 - len(fields))
        if not fields[0]:
            self._on_sender_disposition(fields)
            return
        first = uint(fields[1])
        last = uint(fields[2], first)
        settled = bool(fields[3])
        code, values = read_state(fields[4], raw, pos)
        if not settled and (code is None or code < frames.ACCEPTED_CODE):
            return  # `received`: the peer only tells how far it got
        if first == last:
            self._emit_outcome(first, settled, code, values)
            return
        unsettled = self._unsettled
        emit = self.connection.emit
        span = serial.distance(first, last)
        if span < 0:
            return
        if span < len(unsettled):
            numbers = [n for n in (serial.add(first, step) for step in range(span + 1)) if n in unsettled]
        else:
            numbers = [n for n in unsettled if 0 <= serial.distance(first, n) <= span]
        for number in numbers:
            emit(events.Outcome(self, number, number, unsettled.pop(number)[1], settled, code, values))
        if not numbers and not any(0 <= serial.distance(first, n) <= span for n in self._forgotten):
            emit(events.Outcome(self, first, last, None, settled, code, values))

    def _emit_outcome(self, number: int, settled: bool, code: int | None, values: list[Any]) -> None:
        entry = self._unsettled.pop(number, None)
        if entry is not None or number not in self._forgotten:
            context = None if entry is None else entry[1]
            self.connection.emit(events.Outcome(self, number, number, context, settled, code, values))

    def _on_sender_disposition(self, fields: list[Any]) -> None:
        """The client's side: the broker answers a settlement, or settles what it sent."""
        first = uint(fields[1])
        last = uint(fields[2], first)
        code, values = read_state(fields[4], b"", 0)
        self.connection.emit(events.Outcome(self, first, last, None, bool(fields[3]), code, values))

    def settle(self, receiver: bool, delivery_id: int, state: bytes, settled: bool = True) -> None:
        """Write the outcome of one delivery; neighbours with the same outcome go out as one range."""
        self.connection.queue_disposition(self.channel, receiver, delivery_id, state, settled)


def read_state(state: Any, raw: bytes, pos: int) -> tuple[int | None, list[Any]]:
    """Return code and fields of a delivery state; those that carry data are read again with exact types."""
    if not isinstance(state, Described) or not isinstance(state.descriptor, int):
        return None, []
    code = state.descriptor
    if code in _EXACT and raw:
        state = decode.value(raw, pos)[0][4]
    return int(code), list(state.value) if isinstance(state.value, list) else []


def read_error(failure: Any) -> AmqpError | None:
    """Read an `error` composite, however many of its fields are there."""
    if not isinstance(failure, Described) or not isinstance(failure.value, list) or not failure.value:
        return None
    description = failure.value[1] if len(failure.value) > 1 else None
    return AmqpError(str(failure.value[0]), "" if description is None else str(description))
