"""Sessions: begin and end, the handles of links, and what the peer's frames mean for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from . import decode, events, frames, serial
from .encode import described
from .errors import RESOURCE_LIMIT, UNATTACHED_HANDLE, AmqpError, ProtocolError
from .fields import uint
from .link import Link, Receiver, Sender
from .session_channel import WINDOW, SessionChannel
from .types import Described, UInt, UShort

HANDLE_MAX = 1023
_EXACT = (frames.REJECTED_CODE, frames.MODIFIED_CODE, frames.TRANSACTIONAL)


class Session:
    """One session; made by `Connection` when a begin is sent or received. `id` is the number by which events name it;
    `all_links` has the links of all sessions of the connection, by their ids."""

    def __init__(
        self,
        channel: SessionChannel,
        numbers: Iterator[int],
        all_links: dict[int, Link],
        emit: Callable[[events.Event], None],
    ) -> None:
        self.id = channel.session
        self.channel = channel
        self.begin_sent = False
        self.links: dict[int, Link] = {}
        """By our handle."""
        self._numbers = numbers
        self._all_links = all_links
        self._emit = emit
        self._remote_handle_max = HANDLE_MAX
        self._by_remote: dict[int, Link] = {}
        self._awaited: dict[tuple[str, bool], Link] = {}

    # -- begin and end

    def send_begin(self, remote_channel: int | None) -> None:
        """Write a begin frame with all eight fields."""
        self.begin_sent = True
        remote = None if remote_channel is None else UShort(remote_channel)
        first, window, handles = UInt(self.channel.next_outgoing_id), UInt(WINDOW), UInt(HANDLE_MAX)
        self.channel.write(described(frames.BEGIN, remote, first, window, window, handles, None, None, None))

    def read_begin(self, fields: list[Any]) -> None:
        """Take over the peer's windows and first transfer-id."""
        self.channel.next_incoming_id = uint(fields[1])
        self.channel.remote_window = uint(fields[2])
        self._remote_handle_max = uint(fields[4], HANDLE_MAX)

    def end(self, failure: AmqpError | None = None) -> None:
        """End the session from our side."""
        if not self.channel.ended:
            self.channel.output.flush_dispositions()
            self.channel.write(described(frames.END, frames.error(failure)))
            self.channel.ended = True

    def settle(self, delivery_id: int, state: bytes, settled: bool = True) -> None:
        """Answer a delivery of the peer's with its encoded outcome."""
        self.channel.settle(True, delivery_id, state, settled)

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
        link = self._add(link_type, name)
        link.snd_settle_mode, link.rcv_settle_mode = snd_settle_mode, rcv_settle_mode
        link.max_message_size = max_message_size
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
            if len(self._all_links) >= (most := self.channel.usage.caps.links):
                raise ProtocolError(RESOURCE_LIMIT, f"this connection may have {most} links at a time")
            link = self._add(Sender if peer_receives else Receiver, name)
            link.snd_settle_mode, link.rcv_settle_mode = uint(fields[3], 2, 2), uint(fields[4], 0, 1)
        link.read_attach(fields)
        self._by_remote[handle] = link
        self._emit(events.LinkAttached(link.id))

    def on_detach(self, fields: list[Any]) -> None:
        """A peer's detach: answer it if we have not begun it, and free both handles."""
        link = self._by_remote.pop(fields[0], None)
        if link is None:
            return
        del self.links[link.handle]
        begun_here = link.detach_sent
        if not begun_here:
            link.detach()
        self._drop(link, read_error(fields[2]))

    def drop_links(self) -> None:
        """Forget all links, telling the owner of each."""
        links = list(self.links.values())
        self.links.clear()
        self._by_remote.clear()
        self.channel.clear()
        for link in links:
            link.detach_sent = True
            self._drop(link, None)

    def _add(self, link_type: type[Link], name: str) -> Link:
        handle = self._free_handle()
        link = link_type(next(self._numbers), self.channel, name, handle)
        self.links[handle] = self._all_links[link.id] = link
        return link

    def _drop(self, link: Link, failure: AmqpError | None) -> None:
        link.discard()
        del self._all_links[link.id]
        self._emit(events.LinkDetached(link.id, failure))

    def _free_handle(self) -> int:
        limit = min(HANDLE_MAX, self._remote_handle_max)
        handle = len(self.links)
        if handle in self.links:
            handle = next((number for number in range(limit + 1) if number not in self.links), limit + 1)
        if handle > limit:
            raise ProtocolError(RESOURCE_LIMIT, f"a session has at most {limit + 1} links")
        return handle

    # -- flow and transfers

    def on_flow(self, fields: list[Any]) -> None:
        """A peer's flow: the session's window, and the credit of one link."""
        fields += [None] * (11 - len(fields))
        self.channel.open_window(uint(fields[0]), uint(fields[1]))
        handle = fields[4]
        if handle is None:
            if fields[9]:
                self.channel.write_flow()  # only to peers that asked with echo: older clients trip over it
            for link in list(self.links.values()):
                if isinstance(link, Sender) and link.credit:
                    self._emit(events.Credit(link.id))
            return
        linked = self._by_remote.get(handle)
        if linked is None:
            # after our own detach the peer may not have read it yet; its handle is freed when it answers
            raise ProtocolError(UNATTACHED_HANDLE, f"handle {handle} is not attached")
        if linked.detach_sent:
            return
        if isinstance(linked, Sender):
            linked.read_flow(fields[5], fields[6], bool(fields[8]))
            self._emit(events.Credit(linked.id))
        elif isinstance(linked, Receiver):
            linked.read_flow(fields[5], bool(fields[8]))
        if fields[9]:
            linked.write_flow(max(0, linked.credit))

    def on_transfer(self, fields: list[Any], payload: bytes) -> None:
        """A peer's transfer: hand the message over when its last part is there."""
        channel = self.channel
        channel.next_incoming_id = ((channel.next_incoming_id or 0) + 1) & serial.MASK
        channel.incoming_window -= 1
        if len(fields) < 5:
            fields += [None] * (5 - len(fields))
        link = self._by_remote.get(fields[0])
        if link is None:
            raise ProtocolError(UNATTACHED_HANDLE, f"handle {fields[0]} is not attached")
        if link.detach_sent or not isinstance(link, Receiver):
            return
        whole = link.take(fields, payload)
        if channel.incoming_window <= WINDOW >> 1:
            link.write_flow(max(0, link.credit))
        if whole is not None:
            state = link.state
            if state is not None:
                link.state = None
            self._emit(events.Delivery(link.id, *whole, state))

    # -- dispositions

    def on_disposition(self, raw: bytes, pos: int) -> None:
        """A peer's disposition: an `Outcome` for each delivery of ours that it names.

        What is said of a link's deliveries after its detach is ignored: azure-servicebus takes an answer to that for one
        to a request of its own that has the same number, and fails although it was done.
        """
        completed = frames.read_completion(raw)
        if completed is not None:
            first, settled = completed
            self._emit_outcome(first, settled, frames.ACCEPTED_CODE, [])
            return
        fields = decode.fields(raw, pos)[0]
        fields += [None] * (5 - len(fields))
        first = uint(fields[1])
        last = uint(fields[2], first)
        settled = bool(fields[3])
        if not fields[0]:
            # the client's side: the broker answers a settlement, or settles what it sent
            code, values = read_state(fields[4], b"", 0)
            self._emit(events.Outcome(self.id, first, last, None, settled, code, values))
            return
        code, values = read_state(fields[4], raw, pos)
        if not settled and (code is None or code < frames.ACCEPTED_CODE):
            return  # `received`: the peer only tells how far it got
        if first == last:
            self._emit_outcome(first, settled, code, values)
            return
        numbers = self.channel.unsettled_between(first, last)
        if numbers is None:
            self._emit(events.Outcome(self.id, first, last, None, settled, code, values))
            return
        for number in numbers:
            self._emit_outcome(number, settled, code, values)

    def _emit_outcome(self, number: int, settled: bool, code: int | None, values: list[Any]) -> None:
        channel = self.channel
        entry = channel.unsettled.pop(number, None)
        if entry is not None or number not in channel.forgotten:
            context = None if entry is None else entry[1]
            self._emit(events.Outcome(self.id, number, number, context, settled, code, values))


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
