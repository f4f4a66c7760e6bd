"""What the links of one session share: its channel, its windows, and the deliveries that are not settled yet."""

from __future__ import annotations

from collections import deque
from typing import Any

from . import frames, serial
from .caps import Usage
from .output import Output

WINDOW = 65_535
_SHORT_TAGS = (16, 0)
_REMEMBERED = 5_000
_TRANSFER_OVERHEAD = 50  # header and performative of a transfer with a 16-byte tag and message-format 0


class SessionChannel:
    """The channel `number` on which a session runs; its links write through it."""

    def __init__(self, number: int, session: int, output: Output, usage: Usage) -> None:
        self.number = number
        self.session = session
        self.output = output
        self.usage = usage
        self.ended = False
        self.next_outgoing_id = 0
        self.next_delivery_id = 0
        self.next_incoming_id: int | None = None
        self.incoming_window = WINDOW
        self.remote_window = 0
        self.unsettled: dict[int, tuple[int, Any]] = {}
        """Deliveries of ours that have no outcome yet: their links, and what the owner passed with them."""
        self.forgotten: deque[int] = deque(maxlen=_REMEMBERED)
        """Deliveries of links that are closed: what is still said of them is ignored."""
        self._waiting: deque[tuple[int, bytes]] = deque()

    def write(self, body: bytes) -> None:
        """Write one performative, unless the session is over."""
        if not self.ended:
            self.output.write(frames.frame(self.number, body))

    # -- windows

    def open_window(self, next_incoming_id: int, window: int) -> None:
        """Take over the peer's window; write what waited for it."""
        self.remote_window = max(0, serial.distance(self.next_outgoing_id, serial.add(next_incoming_id, window)))
        while self._waiting and self.remote_window > 0:
            self._write_transfer(self._waiting.popleft()[1])

    def write_flow(self, link: tuple[int, int, int, int | None, bool] | None = None, *, echo: bool = False) -> None:
        """Write a flow, for the session alone or with a link's state; it also opens our incoming window again."""
        if not self.ended:
            self.incoming_window = WINDOW
            window = (self.next_incoming_id, WINDOW, self.next_outgoing_id, WINDOW)
            self.output.write(frames.flow(self.number, window, link, echo))

    # -- transfers

    def send(
        self,
        link: int,
        handle: int,
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
            self.unsettled[delivery_id] = (link, context)
        size = len(payload)
        room = self.output.max_frame_size - _TRANSFER_OVERHEAD
        short = message_format == 0 and len(tag) in _SHORT_TAGS and state is None
        if size <= room and short and self.remote_window > 0 and not self._waiting:
            self.output.write(
                frames.short_transfer(self.number, handle, delivery_id, tag, settled, False, size), payload
            )
            self.next_outgoing_id = (self.next_outgoing_id + 1) & serial.MASK
            self.remote_window -= 1
            return delivery_id
        room -= 32 if state is None else 332  # the general form of the performative is longer
        for start in range(0, max(size, 1), room):
            part = payload[start : start + room]
            more = start + room < size
            raw = frames.transfer(
                self.number, handle, delivery_id, tag, message_format, settled, more, bytes(part), state
            )
            if self.remote_window > 0 and not self._waiting:
                self._write_transfer(raw)
            else:
                self._waiting.append((link, raw))
        return delivery_id

    def _write_transfer(self, raw: bytes) -> None:
        self.output.write(raw)
        self.next_outgoing_id = serial.add(self.next_outgoing_id, 1)
        self.remote_window -= 1

    # -- settlement

    def settle(self, receiver: bool, delivery_id: int, state: bytes, settled: bool = True) -> None:
        """Write the outcome of one delivery; neighbours with the same outcome go out as one range."""
        if not self.ended:
            self.output.disposition(self.number, receiver, delivery_id, state, settled)

    def settle_range(self, first: int, last: int, state: bytes) -> None:
        """Settle deliveries of ours, `first` to `last`, with one outcome."""
        if self.ended:
            return
        if first == last:
            self.output.disposition(self.number, False, first, state, True)
        else:
            self.output.write(frames.disposition(self.number, False, first, last, True, state))

    def unsettled_between(self, first: int, last: int) -> list[int] | None:
        """Return those deliveries of ours from `first` to `last` that are unsettled; None when none of them was ever ours.

        The range comes from the peer, so what is walked is what we track, never the range (S-45).
        """
        span = serial.distance(first, last)
        if span < 0:
            return []
        unsettled = self.unsettled
        if span < len(unsettled):
            numbers = [n for n in (serial.add(first, step) for step in range(span + 1)) if n in unsettled]
        else:
            numbers = [n for n in unsettled if 0 <= serial.distance(first, n) <= span]
        if numbers or any(0 <= serial.distance(first, n) <= span for n in self.forgotten):
            return numbers
        return None

    def unsettled_of(self, link: int) -> list[int]:
        """Return the delivery-ids that a link's peer has not answered."""
        return [number for number, (owner, _) in self.unsettled.items() if owner == link]

    def forget_link(self, link: int) -> None:
        """Drop what a closing link has sent: its unsettled deliveries, whose locks live on in the broker (S-46), and
        transfers that wait for the window."""
        gone = self.unsettled_of(link)
        for number in gone:
            del self.unsettled[number]
        self.forgotten.extend(gone)
        if self._waiting:
            self._waiting = deque(entry for entry in self._waiting if entry[0] != link)

    def clear(self) -> None:
        """Forget all deliveries: the session is over."""
        self.unsettled.clear()
        self._waiting.clear()
