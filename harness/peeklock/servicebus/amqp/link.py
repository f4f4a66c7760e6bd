"""Links: the two ends of one direction of messages inside a session."""

from __future__ import annotations

from typing import Any

from . import frames, serial
from .encode import described
from .errors import INVALID_FIELD, AmqpError, ProtocolError
from .fields import ULONG, uint
from .session_channel import SessionChannel
from .types import Described, Symbol, UByte, UInt, ULong

_SOURCE_ARITY, _TARGET_ARITY = 11, 7
_STATE = 7  # where a transfer has its delivery state


def _padded(terminus: Any, arity: int) -> Any:
    """Echo a terminus with every one of its fields on the wire: clients index them by position."""
    if not isinstance(terminus, Described):
        return terminus
    fields = list(terminus.value) if isinstance(terminus.value, list) else []
    return Described(terminus.descriptor, fields + [None] * (arity - len(fields)))


def address_of(terminus: Any) -> str | None:
    """Return the address of a source or target, or None when it has none."""
    if isinstance(terminus, Described) and isinstance(terminus.value, list) and terminus.value:
        address = terminus.value[0]
        if isinstance(address, str):
            return str(address)
    return None


class Link:
    """One end of a link; `is_sender` tells which one *we* are. Events name it by its `id`, its session by `session`."""

    is_sender: bool

    def __init__(self, id_: int, channel: SessionChannel, name: str, handle: int) -> None:
        self.id = id_
        self.session = channel.session
        self.channel = channel
        self.name = name
        self.handle = handle
        self.remote_handle: int | None = None
        self.source: Any = None
        self.target: Any = None
        self.properties: dict[Any, Any] = {}
        self.snd_settle_mode = 2
        self.rcv_settle_mode = 0
        self.max_message_size = 0
        self.remote_max_message_size = 0
        self.delivery_count = 0
        self.credit = 0
        self.attach_sent = False
        self.detach_sent = False

    def discard(self) -> None:
        """Forget what is unfinished: the link is gone."""

    def read_attach(self, fields: list[Any]) -> None:
        """Take over what the peer's attach says."""
        self.remote_handle = fields[1]
        self.source, self.target = fields[5], fields[6]
        self.remote_max_message_size = uint(fields[10], 0, ULONG)
        self.properties = fields[13] if isinstance(fields[13], dict) else {}

    def send_attach(self, source: Any, target: Any, properties: dict[Any, Any] | None, max_message_size: int) -> None:
        """Write an attach frame with all fourteen fields."""
        self.attach_sent = True
        body = described(
            frames.ATTACH, self.name, UInt(self.handle), not self.is_sender,
            UByte(self.snd_settle_mode), UByte(self.rcv_settle_mode),
            source, target, None, False, UInt(0) if self.is_sender else None,
            ULong(max_message_size), None, None,
            {Symbol(key): value for key, value in (properties or {}).items()},
        )  # fmt: skip
        self.channel.write(body)

    def accept(
        self,
        *,
        source: Any = None,
        target: Any = None,
        max_message_size: int = 0,
        properties: dict[str, Any] | None = None,
    ) -> None:
        """Answer the peer's attach: both termini echoed as they came (S-6, S-8) unless `source` or `target` is given."""
        self.max_message_size = max_message_size
        echoed = _padded(source or self.source, _SOURCE_ARITY) or frames.source(None)
        target = target or _padded(self.target, _TARGET_ARITY) or frames.target(None)
        self.send_attach(echoed, target, properties, max_message_size)

    def refuse(self, failure: AmqpError) -> None:
        """Answer the peer's attach with one that has a null terminus, and a detach with the reason (S-7)."""
        self.send_attach(None, None, None, 0)
        self.detach(failure)

    def detach(self, failure: AmqpError | None = None) -> None:
        """Close the link from our side; what still arrives on it is ignored until the peer has answered."""
        if self.detach_sent:
            return
        if not self.attach_sent:
            # the attach was never answered; a detach alone would name a handle that the peer does not know (S-11)
            self.send_attach(None, None, None, 0)
        self.detach_sent = True
        self.channel.output.flush_dispositions()
        self.channel.write(described(frames.DETACH, UInt(self.handle), True, frames.error(failure)))
        if self.is_sender:
            self.channel.forget_link(self.id)

    def write_flow(self, credit: int, *, drain: bool = False, echo: bool = False) -> None:
        """Write a flow for this link; it also opens the session's incoming window again."""
        if self.attach_sent and not self.detach_sent:
            self.channel.write_flow((self.handle, self.delivery_count, credit, None, drain), echo=echo)


class Sender(Link):
    """We send on this link: credit comes from the peer."""

    is_sender = True

    def __init__(self, id_: int, channel: SessionChannel, name: str, handle: int) -> None:
        super().__init__(id_, channel, name, handle)
        self.drain = False
        self._tag = 0

    @property
    def unsettled(self) -> list[int]:
        """The ids of the deliveries that the peer has not answered."""
        return self.channel.unsettled_of(self.id)

    @property
    def ready(self) -> bool:
        """True when one more delivery may be sent now: there is credit, and the session's window is open."""
        return self.credit > 0 and self.channel.remote_window > 0 and not self.detach_sent

    def send(
        self,
        payload: bytes,
        *,
        tag: bytes | None = None,
        settled: bool = False,
        message_format: int = 0,
        context: Any = None,
        state: Any = None,
    ) -> int:
        """Send one message, in as many transfers as the peer's max-frame-size asks for; return the delivery-id.

        Uses one credit; `state` is that of a transaction. Frames for which the session has no window wait until the peer opens it.
        """
        if tag is None:
            self._tag += 1
            tag = self._tag.to_bytes(4, "big")
        self.credit -= 1
        self.delivery_count = (self.delivery_count + 1) & serial.MASK
        return self.channel.send(self.id, self.handle, payload, tag, settled, message_format, context, state)

    def read_flow(self, delivery_count: int | None, credit: int | None, drain: bool) -> None:
        """Take over the credit of a flow: what it grants beyond the deliveries already sent (S-12)."""
        granted = serial.add(uint(delivery_count), uint(credit))
        self.credit = max(0, serial.distance(self.delivery_count, granted))
        self.drain = drain

    def drained(self) -> None:
        """Tell the peer that nothing is left: use the credit up and answer its drain (S-14)."""
        self.delivery_count = serial.add(self.delivery_count, self.credit)
        self.credit = 0
        self.drain = False
        self.write_flow(0, drain=True)


class Receiver(Link):
    """The peer sends on this link: credit comes from us."""

    is_sender = False

    def __init__(self, id_: int, channel: SessionChannel, name: str, handle: int) -> None:
        super().__init__(id_, channel, name, handle)
        self.auto_credit = 0
        self.state: Any = None
        """The delivery state of the message that is coming in, if it has one."""
        self._parts: list[bytes] = []
        self._size = self._kept = 0
        self._first: tuple[int, bytes, int, bool] | None = None

    def read_attach(self, fields: list[Any]) -> None:
        super().read_attach(fields)
        self.delivery_count = uint(fields[9])

    def grant(self, credit: int, *, auto: bool = False, drain: bool = False, echo: bool = False) -> None:
        """Set the peer's credit; with `auto` it is topped up again whenever half of it is used."""
        self.credit = credit
        self.auto_credit = credit if auto else 0
        self.write_flow(credit, drain=drain, echo=echo)

    def settle(self, delivery_id: int, state: bytes, settled: bool = True) -> None:
        """Answer a delivery with its encoded outcome."""
        channel = self.channel
        if not channel.ended:
            channel.output.disposition(channel.number, True, delivery_id, state, settled)

    def read_flow(self, delivery_count: int | None, drain: bool) -> None:
        """Take over what the sender says: after a drain it has moved its delivery-count and the credit is used up."""
        if drain and delivery_count is not None:
            moved = uint(delivery_count)
            self.credit = max(0, self.credit - serial.distance(self.delivery_count, moved))
            self.delivery_count = moved

    def take(self, fields: list[Any], payload: bytes) -> tuple[int, bytes, int, bool, bytes | None] | None:
        """Add one transfer; return delivery-id, tag, format, settled and the message when it is whole.

        The message is None when it grew past `max_message_size`: its bytes are not kept.
        """
        more = bool(fields[5]) if len(fields) > 5 else False
        if len(fields) > _STATE and fields[_STATE] is not None:
            self.state = fields[_STATE]
        if self._first is None:
            tag = fields[2] or b""
            if not isinstance(tag, bytes):
                raise ProtocolError(INVALID_FIELD, "a delivery-tag is no binary")
            first = (uint(fields[1]), tag, uint(fields[3]), bool(fields[4]))
            if not more and not (len(fields) > 9 and fields[9]):
                self._count()
                if self.max_message_size and len(payload) > self.max_message_size:
                    return (*first, None)
                return (*first, payload)
            self._first = first
        elif fields[4]:
            self._first = (*self._first[:3], True)
        if len(fields) > 9 and fields[9]:  # aborted: as if it had never been sent
            self._reset()
            self._count()
            return None
        self._size += len(payload)
        if self.max_message_size and self._size > self.max_message_size:
            self._parts.clear()
            self._release()
        elif payload:
            self._parts.append(payload)
            self._kept += self.channel.usage.add_part(len(payload))
        if more:
            return None
        whole = b"".join(self._parts) if not self.max_message_size or self._size <= self.max_message_size else None
        result = (*self._first, whole)
        self._reset()
        self._count()
        return result

    def discard(self) -> None:
        """Forget the message of which a part has come."""
        self._reset()

    def _release(self) -> None:
        self.channel.usage.unfinished -= self._kept
        self._kept = 0

    def _reset(self) -> None:
        self._release()
        self._parts, self._size, self._first = [], 0, None

    def _count(self) -> None:
        self.delivery_count = (self.delivery_count + 1) & serial.MASK
        self.credit -= 1
        if self.auto_credit and self.credit <= self.auto_credit >> 1:
            self.grant(self.auto_credit, auto=True)
