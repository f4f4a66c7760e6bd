"""The short way that the engine reads a completion by: it must say what the general reader says, and of nothing else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from peeklock.servicebus.amqp import decode, frames

ROLE = st.sampled_from([b"\x41", b"\x56\x01"])
FLAG = {b"\x40": False, b"\x41": True, b"\x42": False, b"\x56\x00": False, b"\x56\x01": True}
UINTS = st.one_of(
    st.just(b"\x43"),
    st.integers(0, 255).map(lambda n: b"\x52" + bytes([n])),
    st.integers(0, 2**32 - 1).map(lambda n: b"\x70" + n.to_bytes(4)),
)
STATE = st.sampled_from([b"\x00\x53\x24\x45", b"\x00\x53\x24\xc0\x01\x00"])


def performative(*fields: bytes) -> bytes:
    body = b"".join(fields)
    return b"\x00\x53\x15\xc0" + bytes([len(body) + 1, len(fields)]) + body


@given(role=ROLE, number=UINTS, settled=st.sampled_from(sorted(FLAG)), state=STATE, batchable=st.sampled_from(sorted(FLAG)),
       last=st.booleans())  # fmt: skip
def test_every_way_to_write_a_completion_is_read_as_the_general_reader_reads_it(
    role: bytes, number: bytes, settled: bytes, state: bytes, batchable: bytes, last: bool
):
    raw = performative(role, number, number if last else b"\x40", settled, state, batchable)
    fields, end = decode.fields(raw, 3)
    assert end == len(raw)
    assert frames.read_completion(raw) == (fields[1], bool(fields[3]))
    assert (fields[0], fields[4].descriptor) == (True, frames.ACCEPTED_CODE)


def test_azure_servicebus_writes_completions_that_are_read_the_short_way():
    """As caught from azure-servicebus 7.15: `last` and `batchable` null, booleans in two bytes."""
    assert frames.read_completion(bytes.fromhex("005315c010065601700000010e4056000053244540")) == (270, False)


@given(st.data())
def test_what_is_no_completion_of_one_message_is_left_to_the_general_reader(data: st.DataObject):
    fields = [b"\x41", b"\x52\x07", b"\x40", b"\x41", b"\x00\x53\x24\x45", b"\x42"]
    place, other = data.draw(
        st.sampled_from(
            [
                (0, b"\x42"),  # from a sender
                (2, b"\x52\x08"),  # a range
                (4, b"\x00\x53\x25\x45"),  # rejected
                (4, b"\x00\x53\x26\x45"),  # released
                (4, b"\x40"),  # no state
                (1, b"\x40"),  # no delivery-id
            ]
        )
    )
    fields[place] = other
    assert frames.read_completion(performative(*fields)) is None


def test_a_size_that_does_not_fit_is_left_to_the_reader_that_tells_what_is_wrong():
    raw = bytearray(performative(b"\x41", b"\x52\x07", b"\x40", b"\x41", b"\x00\x53\x24\x45", b"\x42"))
    raw[4] += 1
    assert frames.read_completion(bytes(raw)) is None
