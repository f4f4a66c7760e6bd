"""The AMQP 1.0 codec: every type survives a round trip, and no input does harm."""

from __future__ import annotations

import contextlib
import struct
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from peeklock.servicebus.amqp import decode, scan
from peeklock.servicebus.amqp import types as t
from peeklock.servicebus.amqp.encode import compound, described, encode
from peeklock.servicebus.amqp.errors import DecodeError


def ints(kind, low, high):
    return st.integers(low, high).map(kind)


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    ints(t.UByte, 0, 2**8 - 1),
    ints(t.UShort, 0, 2**16 - 1),
    ints(t.UInt, 0, 2**32 - 1),
    ints(t.ULong, 0, 2**64 - 1),
    ints(t.Byte, -(2**7), 2**7 - 1),
    ints(t.Short, -(2**15), 2**15 - 1),
    ints(t.Int, -(2**31), 2**31 - 1),
    ints(t.Long, -(2**63), 2**63 - 1),
    ints(t.Timestamp, -(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.floats(allow_nan=False, width=32).map(t.Float),
    st.characters(exclude_categories=["Cs"]).map(t.Char),
    st.sampled_from([4, 8, 16]).flatmap(lambda n: st.binary(min_size=n, max_size=n)).map(t.Decimal),
    st.uuids(),
    st.binary(max_size=300),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=300),
    st.text(st.characters(max_codepoint=127), max_size=20).map(t.Symbol),
)
KEYS = st.one_of(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), ints(t.Int, -9, 9), st.uuids())
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=5),
        st.dictionaries(KEYS, inner, max_size=5),
        st.builds(t.Described, st.one_of(ints(t.ULong, 0, 999), st.just(t.Symbol("x:y"))), inner),
        st.lists(st.integers(-(2**63), 2**63 - 1).map(t.Long), max_size=5).map(t.Array.longs),
        st.lists(st.uuids(), max_size=4).map(lambda items: t.Array(items, 0x98)),
        st.lists(st.text("ab", max_size=4), max_size=4).map(lambda items: t.Array(items, 0xB1)),
    ),
    max_leaves=12,
)


def exact(value):
    """Compare by type too: 1 as ubyte is not 1 as long."""
    if isinstance(value, dict):
        return {(type(k), k): exact(v) for k, v in value.items()}
    if isinstance(value, list):
        return [exact(item) for item in value]
    if isinstance(value, t.Described):
        return (exact(value.descriptor), exact(value.value))
    return (t.Long if type(value) is int else type(value), value)


@given(VALUES)
@settings(max_examples=300)
def test_every_value_comes_back_with_its_type(value):
    """What is encoded decodes to the same value of the same AMQP type, and to the last byte."""
    raw = encode(value)
    result, end = decode.value(raw)
    assert end == len(raw)
    if not (isinstance(value, t.Array) and not value):
        assert exact(result) == exact(value)


@given(VALUES)
@settings(max_examples=200)
def test_skip_ends_where_decoding_ends(value):
    """`skip` finds the end of a value without building it."""
    raw = encode(value)
    assert scan.skip(raw + b"\x40", 0) == len(raw)


@given(st.lists(SCALARS, max_size=30))
@settings(max_examples=200)
def test_fields_read_a_list_into_plain_values(values):
    """The hot path gives the same values as the general one."""
    result, _ = decode.fields(encode(values), 0)
    assert result == values


@given(st.binary(max_size=200))
@settings(max_examples=500)
def test_any_bytes_decode_or_are_refused(raw):
    """Hostile bytes raise `DecodeError`, never anything else."""
    for read in (decode.value, decode.plain, lambda b: decode.fields(b, 0), lambda b: scan.slices(b, 0)):
        with contextlib.suppress(DecodeError):
            read(raw)


@given(VALUES, st.data())
@settings(max_examples=200)
def test_truncated_values_are_refused(value, data):
    """A value that ends too early raises `DecodeError`."""
    raw = encode(value)
    cut = data.draw(st.integers(0, len(raw) - 1))
    with pytest.raises(DecodeError):
        decode.value(raw[:cut])


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"\xd0" + struct.pack(">II", 4, 2**32 - 1), "past the cap"),
        (b"\xf0" + struct.pack(">II", 5, 50_000) + b"\x40", "empty elements"),
        (b"\xc0\x02\x01", "middle of a value"),
        (b"\xc1\x02\x01\x40", "key without a value"),
        (b"\xc1\x04\x02\x45\x40\x40"[:6], "map key|does not match"),
        (b"\x3f", "not an AMQP type"),
        (b"\xa1\x02\xff\xff", "decode"),
    ],
)
def test_caps_and_malformed_values_say_why(raw, reason):
    """A declared count or size is checked before anything is allocated."""
    with pytest.raises(DecodeError, match=reason):
        decode.value(raw)


def test_nesting_is_capped():
    """Lists in lists in lists end at a depth of 32, long before Python's stack does."""
    raw = b"\x45"
    for _ in range(40):
        raw = compound(0xC0, [raw])
    with pytest.raises(DecodeError, match="nested"):
        decode.value(raw)


def test_deep_descriptors_are_refused():
    """A long run of 0x00 (descriptor of a descriptor …) is refused by both readers."""
    for read in (decode.value, lambda b: scan.skip(b, 0)):
        with pytest.raises(DecodeError):
            read(b"\x00" * 5_000)


def test_mechanisms_are_an_array_of_symbols():
    """S-2: even a single mechanism goes as an array of symbols."""
    assert encode(t.Array.symbols("ANONYMOUS")) == b"\xe0\x0c\x01\xa3\x09ANONYMOUS"


def test_composites_carry_every_field():
    """Part B: trailing nulls stay on the wire, and descriptors are smallulong."""
    assert described(0x24) == b"\x00\x53\x24\xc0\x01\x00"
    assert described(0x1D, None, None, None) == b"\x00\x53\x1d\xc0\x04\x03\x40\x40\x40"


def test_uuid_is_sixteen_bytes_in_network_order():
    """S-29: lock tokens in $management are AMQP uuids in RFC order."""
    token = uuid.uuid4()
    assert encode(token) == b"\x98" + token.bytes
