"""Frames: the eight-byte header around a performative, and the performatives that are built often."""

from __future__ import annotations

import re
import struct
from typing import Any

from .encode import described
from .errors import AmqpError
from .types import Described, Symbol, UInt, ULong

AMQP_HEADER = b"AMQP\x00\x01\x00\x00"
SASL_HEADER = b"AMQP\x03\x01\x00\x00"
TLS_HEADER = b"AMQP\x02\x01\x00\x00"

OPEN, BEGIN, ATTACH, FLOW, TRANSFER, DISPOSITION, DETACH, END, CLOSE = range(0x10, 0x19)
SASL_MECHANISMS, SASL_INIT, SASL_CHALLENGE, SASL_RESPONSE, SASL_OUTCOME = range(0x40, 0x45)
SOURCE, TARGET = 0x28, 0x29
ERROR = 0x1D
ACCEPTED_CODE, REJECTED_CODE, RELEASED_CODE, MODIFIED_CODE = 0x24, 0x25, 0x26, 0x27
COORDINATOR, DECLARE, DISCHARGE, DECLARED, TRANSACTIONAL = range(0x30, 0x35)

_HEADER = struct.Struct(">IBBH").pack
# handle, delivery-id, tag of 16 bytes, message-format 0, settled, more; then five fields that never change
_TRANSFER_16 = struct.Struct(">IBBH3sBBBBIBIBB16sBBB5s")
_TRANSFER_0 = struct.Struct(">IBBH3sBBBBIBIBBBBB5s")
_NULLS_16 = b"\x40\x40\x42\x42\x42"
_DISPOSITION = struct.Struct(">IBBH3sBBBBBIBIB")
_UINT = rb"\x43|\x52.|\x70.{4}"
_FLAG = rb"\x41|\x42|\x56[\x00\x01]"
# role receiver, first, last, settled, the state `accepted`, batchable
_COMPLETION = re.compile(
    rb"\x00\x53\x15\xc0(.)\x06(?:\x41|\x56\x01)(" + _UINT + rb")(\x40|" + _UINT + rb")(\x40|" + _FLAG + rb")"
    rb"\x00\x53\x24(?:\x45|\xc0\x01\x00)(?:\x40|" + _FLAG + rb")",
    re.DOTALL,
).fullmatch  # fmt: skip
_TRUE = (b"\x41", b"\x56\x01")


def frame(channel: int, body: bytes, payload: bytes = b"", kind: int = 0) -> bytes:
    """Put the frame header (`kind` 0 AMQP, 1 SASL) before a performative and its payload."""
    return _HEADER(8 + len(body) + len(payload), 2, kind, channel) + body + payload


def error(failure: AmqpError | None) -> Any:
    """Build the `error` composite with all of its three fields (S-10), or null."""
    if failure is None:
        return None
    return Described(ULong(ERROR), [Symbol(failure.condition), failure.description, None])


def rejected(failure: AmqpError | None) -> bytes:
    """Encode the outcome `rejected`; without an error it is the echo of a dead-lettering (S-41)."""
    return described(REJECTED_CODE, error(failure))


ACCEPTED = b"\x00\x53\x24\x45"
RELEASED = b"\x00\x53\x26\x45"
REJECTED = rejected(None)


def modified(delivery_failed: bool, undeliverable_here: bool) -> bytes:
    """Encode the outcome `modified`: abandon, or defer when `undeliverable_here` (S-42)."""
    return described(MODIFIED_CODE, delivery_failed, undeliverable_here, None)


def short_transfer(
    channel: int, handle: int, delivery_id: int, tag: bytes, settled: bool, more: bool, size: int
) -> bytes:
    """Encode the frame of a transfer with a tag of 16 bytes or none and message-format 0, up to its payload of `size`
    bytes."""
    if not tag:
        return _TRANSFER_0.pack(
            34 + size, 2, 0, channel, b"\x00\x53\x14", 0xC0, 21, 11,
            0x70, handle, 0x70, delivery_id, 0xA0, 0, 0x43, 0x41 if settled else 0x42, 0x41 if more else 0x42,
            _NULLS_16,
        )  # fmt: skip
    return _TRANSFER_16.pack(
        50 + size, 2, 0, channel, b"\x00\x53\x14", 0xC0, 37, 11,
        0x70, handle, 0x70, delivery_id, 0xA0, 16, tag, 0x43, 0x41 if settled else 0x42, 0x41 if more else 0x42,
        _NULLS_16,
    )  # fmt: skip


def transfer(
    channel: int,
    handle: int,
    delivery_id: int,
    tag: bytes,
    message_format: int,
    settled: bool,
    more: bool,
    payload: bytes,
    state: Any = None,
) -> bytes:
    """Encode any transfer frame, all eleven fields present."""
    body = described(
        TRANSFER, UInt(handle), UInt(delivery_id), tag, UInt(message_format), settled, more,
        None, state, False, False, False,
    )  # fmt: skip
    return frame(channel, body, payload)


def disposition(channel: int, receiver: bool, first: int, last: int, settled: bool, state: bytes) -> bytes:
    """Encode a disposition for deliveries `first`..`last`; `state` is an encoded outcome."""
    items = 5 + 5 + 1 + 1 + len(state) + 1
    if items > 250:
        raw = described(DISPOSITION, receiver, UInt(first), UInt(last), settled, None, False)
        # the state is encoded already: cut the placeholder null out and put it in
        body = b"\x00\x53\x15\xd0" + struct.pack(">II", len(raw) - 6 - 1 + len(state) + 4, 6)
        return frame(channel, body + raw[6:-2] + state + raw[-1:])
    return (
        _DISPOSITION.pack(
            8 + 6 + items, 2, 0, channel, b"\x00\x53\x15", 0xC0, items + 1, 6,
            0x41 if receiver else 0x42, 0x70, first, 0x70, last, 0x41 if settled else 0x42,
        )
        + state
        + b"\x42"
    )  # fmt: skip


def read_completion(raw: bytes) -> tuple[int, bool] | None:
    """Read the disposition by which a receiver completes one message, as SDKs write it: delivery-id and `settled`.

    None for any other, which wants the general reader. There is one for each message, so it has a way of its own.
    """
    found = _COMPLETION(raw)
    if found is None:
        return None
    size, first, last, settled = found.groups()
    if size[0] != len(raw) - 5:
        return None
    number = int.from_bytes(first[1:])
    if last != b"\x40" and int.from_bytes(last[1:]) != number:
        return None
    return number, settled in _TRUE


def flow(
    channel: int,
    window: tuple[int | None, int, int, int],
    link: tuple[int, int, int, int | None, bool] | None = None,
    echo: bool = False,
) -> bytes:
    """Encode a flow: `window` = next-incoming-id, incoming-window, next-outgoing-id, outgoing-window;
    `link` = handle, delivery-count, link-credit, available, drain."""
    next_in, window_in, next_out, window_out = window
    head: list[Any] = [None if next_in is None else UInt(next_in), UInt(window_in), UInt(next_out), UInt(window_out)]
    if link is None:
        tail: list[Any] = [None, None, None, None, False]
    else:
        handle, count, credit, available, drain = link
        tail = [UInt(handle), UInt(count), UInt(credit), None if available is None else UInt(available), drain]
    return frame(channel, described(FLOW, *head, *tail, echo, None))


def source(address: str | None, *, filters: Any = None, dynamic: bool = False) -> Described:
    """Build a source terminus with all eleven fields."""
    return Described(
        ULong(SOURCE),
        [address, UInt(0), Symbol("session-end"), UInt(0), dynamic, None, None, filters, None, None, None],
    )


def target(address: str | None, *, dynamic: bool = False) -> Described:
    """Build a target terminus with all seven fields."""
    return Described(ULong(TARGET), [address, UInt(0), Symbol("session-end"), UInt(0), dynamic, None, None])
