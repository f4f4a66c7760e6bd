"""Messages on the wire: sections are found by their lengths, decoded only where they are asked for.

`Envelope` keeps the bare message (properties, application-properties, body, footer) as the bytes that came, so that
every AMQP type survives the way through the broker (S-36, S-37); header and annotations are built anew on delivery.
"""

from __future__ import annotations

import struct
import uuid
from functools import lru_cache
from typing import Any, Self, TypeVar

from . import decimals, decode, scan
from .encode import compound, encode
from .errors import DecodeError
from .quotas import MAX_ID, MAX_PROPERTY, long_head, long_id
from .reading import PLAIN_FIELDS, Reading
from .sections import (
    APPLICATION_PROPERTIES,
    DATA,
    DELIVERY_ANNOTATIONS,
    FOOTER,
    HEADER,
    MESSAGE_ANNOTATIONS,
    PROPERTIES,
    SEQUENCE,
    text_of,
)
from .types import Short, Symbol, UInt

# what the broker stamps itself: never taken over from a sender
_STAMPED = frozenset(
    encode(Symbol(name))
    for name in (
        "x-opt-enqueued-time",
        "x-opt-sequence-number",
        "x-opt-locked-until",
        "x-opt-message-state",
        "x-opt-enqueue-sequence-number",
        "x-opt-deadletter-source",
        "x-opt-partition-id",
    )
)
_ENQUEUED = encode(Symbol("x-opt-enqueued-time")) + b"\x83"
_SEQUENCE = encode(Symbol("x-opt-sequence-number")) + b"\x81"
_STATE = encode(Symbol("x-opt-message-state")) + b"\x54"
_LOCKED = encode(Symbol("x-opt-locked-until")) + b"\x83"
_ORIGIN = encode(Symbol("x-opt-enqueue-sequence-number")) + b"\x81"
_TOKEN = encode(Symbol("x-opt-lock-token"))
_GUID = b"\x98"
# delivery annotations, with a lock token alone or with nothing
_TOKEN_ALONE = bytes((0, 0x53, DELIVERY_ANNOTATIONS, 0xC1, len(_TOKEN) + 18, 2)) + _TOKEN + _GUID
_NOTHING = bytes((0, 0x53, DELIVERY_ANNOTATIONS, 0xC1, 1, 0))
_STAMP = struct.Struct(f">{len(_ENQUEUED)}sq{len(_SEQUENCE)}sq").pack
_i64 = struct.Struct(">q").pack
_FLAG = b"\x40\x41\x42\x56"
_HEADER_CONSTRUCTORS = (_FLAG, b"\x40\x50", b"\x40\x43\x52\x70", _FLAG)  # durable, priority, ttl, first-acquirer
_REPEATED = (DATA, SEQUENCE)
T = TypeVar("T", int, tuple[int, int, int])
_DEFAULT_HEADER = b"\x40\x40\x40\x40"
_seen: dict[Any, Any] = {}
_SEEN = 10_000

PACKED = b"\x02"
"""With this byte begins what `Envelope.pack` returns; an AMQP list never does."""
_PACKED = struct.Struct(">cBI3iIdd5I")
"""Flags (is there a ttl, a time, a sender?), size, offsets, number of annotations, ttl, time; then the lengths of what follows:
annotations, header, delivery annotations, message-id, sender. The bare message is the rest."""


def _shared(value: T) -> T:
    """Return the value, the very one that was seen before: a queue's messages are alike, and keep 90 bytes less each."""
    known = _seen.get(value)
    if known is None:
        if len(_seen) < _SEEN:
            _seen[value] = value
        return value
    return known  # type: ignore[no-any-return]


class Envelope(Reading):
    """One message as the broker holds it. Raises `DecodeError` when `raw` is not an AMQP message.

    `ttl` is in seconds (None: unset), `scheduled_at` in epoch seconds (None: at once), `size` in encoded bytes;
    `sender` is for the broker, which knows who sent it.
    """

    __slots__ = ()

    def __init__(self, raw: bytes) -> None:
        self.size = _shared(len(raw))
        self.ttl: float | None = None
        self.scheduled_at: float | None = None
        self.sender: str | None = None
        self._header = _DEFAULT_HEADER
        self._annotations: tuple[bytes, int] = (b"", 0)
        self._delivery_annotations = b""
        # where the sections of properties and application-properties and the first of the body begin in the bare message
        properties = application = body = start = -1
        pos, end, last = 0, len(raw), 0
        rebuilt: list[bytes] | None = None
        while pos < end:
            code, at = decode.descriptor(raw, pos)
            after = scan.skip(raw, at)
            if code < PROPERTIES:
                if start >= 0 and rebuilt is None:
                    # azure-servicebus writes its delivery annotations behind the body: they are taken out of there
                    rebuilt = [raw[start:pos]]
                self._read_head(code, raw, at, after)
            else:
                if code > FOOTER or (code == last and code not in _REPEATED):
                    raise DecodeError(f"section 0x{code:02x} has no place after 0x{last:02x} in a message")
                if code < last:
                    self.__init__(_in_order(raw))  # type: ignore[misc]
                    return
                last = code
                if start < 0:
                    start = pos
                if at - pos != 3 and rebuilt is None:
                    # a long descriptor: azure-servicebus skips three bytes blindly, so it is written anew
                    rebuilt = [raw[start:pos]]
                if rebuilt is not None:
                    rebuilt.append(bytes((0, 0x53, code)) + raw[at:after])
                if code == PROPERTIES:
                    properties = pos
                elif code == APPLICATION_PROPERTIES:
                    application = pos
                elif body < 0 and code != FOOTER:
                    body = pos
            pos = after
        self._bare: bytes
        self._offsets: tuple[int, int, int]
        self.message_id: str
        if rebuilt is not None:
            other = Envelope(b"".join(rebuilt))
            self._bare, self._offsets, self.message_id = other._bare, other._offsets, other.message_id
            if self.ttl is None:
                self.ttl = other.ttl
            return
        if start < 0:
            start = end
        self._bare = raw[start:] if start else raw
        self._offsets = _shared(
            (
                properties - start if properties >= 0 else -1,
                application - start if application >= 0 else -1,
                body - start if body >= 0 else -1,
            )
        )
        self.message_id = self._read_properties()
        if application >= 0 and decimals.MARK in self._bare:
            self._write_decimals_as_the_service_does()

    # -- keeping

    def pack(self) -> bytes:
        """Return all of it as bytes, to be kept; the bare message stands at their end as it came."""
        flags = (self.ttl is not None) | (self.scheduled_at is not None) << 1 | (self.sender is not None) << 2
        pairs, count = self._annotations
        parts = (
            pairs,
            self._header,
            self._delivery_annotations,
            self.message_id.encode(),
            (self.sender or "").encode(),
        )
        times = (self.ttl or 0.0, self.scheduled_at or 0.0)
        head = _PACKED.pack(PACKED, flags, self.size, *self._offsets, count, *times, *map(len, parts))
        return b"".join((head, *parts, self._bare))

    @classmethod
    def unpack(cls, raw: bytes) -> Self:
        """Read what `pack` has written. Raises `DecodeError`, `UnicodeError` or `struct.error` for what it has not."""
        self = cls.__new__(cls)
        _, flags, self.size, one, two, three, count, ttl, scheduled_at, *lengths = _PACKED.unpack_from(raw)
        parts, at = [], _PACKED.size
        for length in lengths:
            parts.append(raw[at : at + length])
            at += length
        if at > len(raw):
            raise DecodeError("the message ends before its fields do")
        self._offsets, self._annotations = (one, two, three), (parts[0], count)
        self._header, self._delivery_annotations = parts[1], parts[2]
        self.message_id = parts[3].decode()
        self.ttl = ttl if flags & 1 else None
        self.scheduled_at = scheduled_at if flags & 2 else None
        self.sender = parts[4].decode() if flags & 4 else None
        self._bare = raw[at:]
        return self

    def verify(self) -> None:
        """Raise `DecodeError` unless this copy, read back from where it was kept, is a message as `__init__` makes it."""
        made = Envelope(self._bare)
        kept = (self._bare, self._offsets, self.message_id)
        pairs, count = self._annotations
        pos = 0
        for _ in range(count):
            pos = scan.skip(pairs, pos)
        if kept != (made._bare, made._offsets, made.message_id) or pos != len(pairs) or count < 0:
            raise DecodeError("the sections of the message are not where they were noted")
        for value, kinds in (
            (self.size, int),
            (self.ttl, float | int | None),
            (self.scheduled_at, float | int | None),
            (self.sender, str | None),
            (self._header, bytes),
            (self._delivery_annotations, bytes),
        ):
            if not isinstance(value, kinds):
                raise DecodeError(f"a field of the message is {value!r:.60}")

    # -- reading

    def _write_decimals_as_the_service_does(self) -> None:
        try:
            parts, _ = scan.slices(self._bare, self._offsets[1] + 3)
        except DecodeError:
            return  # who needs them will say so
        if decimals.rewrite(parts):
            self._replace(1, APPLICATION_PROPERTIES, compound(0xC1, parts))

    def _read_head(self, code: int, raw: bytes, at: int, after: int) -> None:
        if code == HEADER:
            # most clients send a header of nulls
            if raw.count(b"\x40", at + 3, after) < after - at - 3 or raw[at] == 0xD0:
                self._read_header(raw, at)
        elif code == DELIVERY_ANNOTATIONS:
            scan.slices(raw, at)
            self._delivery_annotations = b"\x00\x53\x71" + raw[at:after]
        elif code == MESSAGE_ANNOTATIONS:
            self._read_annotations(raw, at)
        else:
            raise DecodeError(f"0x{code:02x} is not a message section")

    def _read_header(self, raw: bytes, at: int) -> None:
        parts, _ = scan.slices(raw, at)
        parts = (parts + [b"\x40"] * 4)[:4]
        for part, constructors in zip(parts, _HEADER_CONSTRUCTORS, strict=True):
            if part[0] not in constructors:
                raise DecodeError(f"0x{part[0]:02x} begins a field of the header that is no such type")
        self._header = b"".join(parts)
        ttl = decode.plain(parts[2])[0]
        if isinstance(ttl, int):
            self.ttl = ttl / 1000

    def _read_annotations(self, raw: bytes, at: int) -> None:
        parts, _ = scan.slices(raw, at)
        kept = []
        for index in range(0, len(parts) - 1, 2):
            if parts[index] in _STAMPED:
                continue
            kept += parts[index : index + 2]
            if b"scheduled-enq" in parts[index]:
                when = decode.plain(parts[index + 1])[0]
                if isinstance(when, int):
                    self.scheduled_at = when / 1000
        self._annotations = (b"".join(kept), len(kept))

    def _read_properties(self) -> str:
        """Read what the broker needs now: the message-id, and a time to live that only the properties tell."""
        at = self._offsets[0]
        parts: list[bytes] = []
        if at >= 0:
            first, count = scan.first_item(self._bare, at + 3)
            if self.ttl is None and count > 8 and self._bare.find(b"\x83", first) >= 0:
                self._read_expiry(at)
            if count and self._bare[first] != 0x40:
                return text_of(decode.plain(self._bare, first)[0])
            parts, _ = scan.slices(self._bare, at + 3)
        # @azure/service-bus needs an id on every message that it receives
        message_id = uuid.uuid4().hex
        parts = [encode(message_id), *parts[1:]]
        self._replace(0, PROPERTIES, compound(0xC0, parts))
        return message_id

    def _read_expiry(self, at: int) -> None:
        parts, _ = scan.slices(self._bare, at + 3)
        if parts[8] == b"\x40":
            return
        expiry, created = decode.plain(parts[8])[0], decode.plain(parts[9])[0] if len(parts) > 9 else None
        if isinstance(expiry, int) and isinstance(created, int):
            self.ttl = max(0, expiry - created) / 1000

    def set_partition(self, partition: int | None) -> None:
        """Note the partition in which the message stands; None takes the note away."""
        self.annotate("x-opt-partition-id", None if partition is None else Short(partition))

    def _replace(self, index: int, code: int, value: bytes) -> None:
        """Put `value` in place of the section at offset `index` (0 properties, 1 application-properties)."""
        section = bytes((0, 0x53, code)) + value
        offsets = list(self._offsets)
        old = offsets[index]
        if old >= 0:
            start, end = old, scan.skip(self._bare, old + 3)
        else:
            start = end = 0
            if index == 1 and offsets[0] >= 0:
                start = end = scan.skip(self._bare, offsets[0] + 3)
        moved = len(section) - (end - start)
        self._bare = self._bare[:start] + section + self._bare[end:]
        for later in range(index + 1, 3):
            if offsets[later] >= 0:
                offsets[later] += moved
        offsets[index] = start
        self._offsets = (offsets[0], offsets[1], offsets[2])

    def flaw(self) -> tuple[str, str] | None:
        """Tell what is too long, by kind (`id`, `head`) and in words; None when all is well (S-38)."""
        properties, application, body = self._offsets
        end = application if application >= 0 else body if body >= 0 else len(self._bare)
        annotations = len(self._annotations[0])
        if (end - properties > MAX_ID or annotations > MAX_ID) and (text := long_id(self)) is not None:
            return "id", text
        if self.size > MAX_PROPERTY and self.head_size > MAX_PROPERTY and (text := long_head(self)) is not None:
            return "head", text
        return None

    # -- changing

    def limit_ttl(self, seconds: float) -> None:
        """Set a shorter time to live, in the header too (S-35)."""
        self.ttl = seconds
        if self._header == _DEFAULT_HEADER:
            self._header = _header_of(seconds)
            return
        start = scan.skip(self._header, scan.skip(self._header, 0))
        end = scan.skip(self._header, start)
        milliseconds = encode(UInt(min(int(seconds * 1000), 0xFFFFFFFF)))
        self._header = self._header[:start] + milliseconds + self._header[end:]

    def copy(self) -> Envelope:
        """Return a copy for another entity; both share their bytes, until one is changed."""
        copy = Envelope.__new__(Envelope)
        for name in Reading.__slots__:
            setattr(copy, name, getattr(self, name))
        return copy

    def revised(self, application: dict[str, Any], system: dict[str, Any]) -> Envelope:
        """Return a copy with these application properties (all of them), and with some properties, `x-opt-` annotations
        and the `time_to_live` (seconds) changed; None unsets."""
        copy = self.copy()
        at = self._offsets[0]
        parts = scan.slices(self._bare, at + 3)[0] if at >= 0 else []
        parts += [b"\x40"] * (len(PLAIN_FIELDS) - len(parts))
        for name, value in system.items():
            if name == "time_to_live":
                copy.limit_ttl(value)
            elif name.startswith("x-opt-"):
                copy.annotate(name, value)
            else:
                parts[PLAIN_FIELDS.index(name)] = encode(Symbol(value) if name == "content_type" and value else value)
                copy.message_id = value if name == "message_id" else copy.message_id
        copy._replace(0, PROPERTIES, compound(0xC0, parts))
        copy._replace(1, APPLICATION_PROPERTIES, encode(application))
        copy.size = self.size + len(copy._bare) - len(self._bare)  # noqa: SLF001 -- a copy of itself
        return copy

    def annotate(self, name: str, value: Any) -> None:
        """Set one message annotation, or take it away with None; all others keep their exact bytes."""
        raw, _ = self._annotations
        key, pos, kept = encode(Symbol(name)), 0, []
        while pos < len(raw):
            middle = scan.skip(raw, pos)
            end = scan.skip(raw, middle)
            if raw[pos:middle] != key:
                kept += [raw[pos:middle], raw[middle:end]]
            pos = end
        if value is not None:
            kept += [key, encode(value)]
        self._annotations = (b"".join(kept), len(kept))

    def updated(self, properties: dict[str, Any]) -> Envelope:
        """Return a copy with application properties added or replaced; all others keep their exact bytes."""
        copy = self.copy()
        at = self._offsets[1]
        try:
            parts = scan.slices(self._bare, at + 3)[0] if at >= 0 else []
        except DecodeError:
            parts = []  # nobody could have read them; the message must still find its way to the dead letters
        fresh = {encode(str(key)): encode(value) for key, value in properties.items()}
        kept = [p for i in range(0, len(parts) - 1, 2) if parts[i] not in fresh for p in parts[i : i + 2]]
        for key, value in fresh.items():
            kept += (key, value)
        copy._replace(1, APPLICATION_PROPERTIES, compound(0xC1, kept))
        copy.size = self.size + len(copy._bare) - len(self._bare)  # noqa: SLF001 -- a copy of itself
        return copy

    # -- writing

    def wire(
        self,
        sequence: int,
        enqueued_at: float,
        state: int | None,
        delivery_count: int,
        locked_until: float | None = None,
        origin: int | None = None,
        lock_token: bytes = b"",
    ) -> bytes:
        """Encode the message for delivery: header with its delivery-count (S-34), broker annotations (S-32), bare message.

        Times are epoch seconds; `state` (0 active, 1 deferred, 2 scheduled) is left out when it is None; `origin` is the
        sequence number before dead-lettering; `lock_token` is a Guid in its
        little-endian form (S-39). Delivery annotations are there always, if empty: azure-servicebus' tests say so.
        """
        pairs, count = self._annotations
        stamp = _STAMP(_ENQUEUED, int(enqueued_at * 1000), _SEQUENCE, sequence)
        count += 4
        if state is not None:
            stamp += _STATE + bytes((state,))
            count += 2
        if locked_until is not None:
            stamp += _LOCKED + _i64(int(locked_until * 1000))
            count += 2
        if origin is not None:
            stamp += _ORIGIN + _i64(origin)
            count += 2
        size = len(stamp) + len(pairs)
        if size < 254 and count < 256:
            head = bytes((0, 0x53, 0x72, 0xC1, size + 1, count))
        else:
            head = b"\x00\x53\x72\xd1" + struct.pack(">II", size + 4, count)
        counted = bytes((0x52, delivery_count)) if delivery_count < 256 else b"\x70" + struct.pack(">I", delivery_count)
        header = self._header
        size = len(header) + len(counted)
        t = lock_token
        guid = t and t[3::-1] + t[5:3:-1] + t[7:5:-1] + t[8:]
        annotations = self._delivery_annotations
        if not annotations:
            annotations = _TOKEN_ALONE + guid if guid else _NOTHING
        elif guid:
            given, _ = scan.slices(annotations, 3)
            annotations = annotations[:3] + compound(0xC1, [*given, _TOKEN, _GUID + guid])
        return b"".join(
            (bytes((0, 0x53, 0x70, 0xC0, size + 1, 5)), header, counted, annotations, head, stamp, pairs, self._bare)
        )


@lru_cache(maxsize=64)
def _header_of(ttl: float) -> bytes:
    """Encode the first four fields of a header that has nothing but a time to live; queues repeat their default."""
    return b"\x40\x40" + encode(UInt(min(int(ttl * 1000), 0xFFFFFFFF))) + b"\x40"


def _in_order(raw: bytes) -> bytes:
    """Put the sections of a message into the order of the standard: rhea writes the footer before the body, and Service
    Bus takes it."""
    sections, pos = [], 0
    while pos < len(raw):
        code, at = decode.descriptor(raw, pos)
        after = scan.skip(raw, at)
        sections.append((code, raw[pos:after]))
        pos = after
    return b"".join(section for _, section in sorted(sections, key=lambda entry: entry[0]))


def batch(raw: bytes) -> list[Envelope]:
    """Take a batch (message-format 0x80013700) apart: each data section is a whole message (S-65)."""
    messages, pos = [], 0
    while pos < len(raw):
        code, at = decode.descriptor(raw, pos)
        after = scan.skip(raw, at)
        if code == DATA:
            inner = decode.plain(raw, at)[0]
            if not isinstance(inner, bytes):
                raise DecodeError("a data section of a batch is not binary")
            messages.append(Envelope(inner))
        pos = after
    return messages
