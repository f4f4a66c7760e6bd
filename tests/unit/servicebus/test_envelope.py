"""Messages are kept as they came; only what must change is changed."""

from __future__ import annotations

import contextlib
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from peeklock.servicebus.amqp import DecodeError, Envelope, decode
from peeklock.servicebus.amqp import types as t
from peeklock.servicebus.amqp.encode import described, encode
from peeklock.servicebus.amqp.message import batch
from peeklock.servicebus.amqp.sections import build, described_map
from peeklock.servicebus.broker import Message
from peeklock.servicebus.gateway.message_encoding import encode_message

PROPERTIES = ["id-1", None, None, "subject", None, "corr", t.Symbol("text/plain"), None, None, None, "s", None, None]


def sections(raw):
    """Cut a message into (code, exact value) pairs."""
    found, pos = [], 0
    while pos < len(raw):
        code, at = decode.descriptor(raw, pos)
        value, pos = decode.value(raw, at)
        found.append((code, value))
    return found


def test_bare_message_is_untouched():
    """S-36, S-37: properties, application properties, every body section and the footer keep their bytes."""
    bare = (
        described(0x73, *PROPERTIES)
        + described_map(0x74, {"n": None, "d": t.Described(t.Symbol("com.microsoft:timespan"), 5), "c": t.Char("x")})
        + b"\x00\x53\x75\xa0\x02ab"
        + b"\x00\x53\x75\xa0\x01c"
        + described_map(0x78, {t.Symbol("f"): 1})
    )
    head = described(0x70, True, t.UByte(7), t.UInt(5000), None, None) + described_map(0x71, {t.Symbol("x-d"): 1})
    wire = Envelope(head + bare).wire(1, 2.0, 0, 0)
    assert wire.endswith(bare)
    assert (0x71, {"x-d": 1}) in sections(wire)


@given(st.dictionaries(st.text("abc", min_size=1, max_size=5), st.one_of(st.none(), st.integers(-9, 9).map(t.Short))))
@settings(max_examples=50)
def test_added_properties_leave_the_others_alone(application):
    """S-33: dead-letter properties join the others, which keep their exact AMQP types."""
    envelope = Envelope(build(properties=PROPERTIES, application_properties=application, data=b"body"))
    changed = envelope.updated({"DeadLetterReason": "why", "a": t.Int(1)})
    expected = {**application, "a": t.Int(1), "DeadLetterReason": "why"}
    found = dict(sections(changed.wire(1, 0.0, 0, 0)))[0x74]
    assert found == expected
    assert {k: type(v) for k, v in found.items()} == {k: type(v) for k, v in expected.items()}
    assert changed.body() == ("data", [b"body"])
    assert envelope.application_properties() == application


def test_message_without_id_gets_one():
    """Part B: @azure/service-bus needs a message-id on every message, so an absent one is filled in."""
    for raw in (build(data=b"x"), build(properties=[None, None, "to"], data=b"x"), b""):
        envelope = Envelope(raw)
        assert envelope.message_id
        assert dict(sections(envelope.wire(1, 0.0, 0, 0)))[0x73][0] == envelope.message_id
        if raw:
            assert envelope.body() == ("data", [b"x"])


def test_header_always_tells_the_delivery_count():
    """S-34: delivery-count is always encoded; durable, priority and ttl are kept."""
    raw = described(0x70, True, t.UByte(9), t.UInt(1000), True, t.UInt(77)) + build(properties=["i"], data=b"")
    for count in (0, 1, 300):
        assert dict(sections(Envelope(raw).wire(1, 0.0, 0, count)))[0x70] == [True, 9, 1000, True, count]


@pytest.mark.parametrize("field", [0, 1, 2])
def test_a_header_has_the_types_of_a_header(field):
    """A text where a flag or a number belongs is refused when it comes, and not met when the message goes out."""
    header = [None] * 5
    header[field] = "x" * 300
    with pytest.raises(DecodeError, match="no such type"):
        Envelope(build(header=header, data=b"x"))


def test_header_without_ttl_stays_without():
    """S-35: ttl is stamped only when it was set."""
    assert dict(sections(Envelope(build(data=b"")).wire(1, 0.0, 0, 0)))[0x70] == [None, None, None, None, 0]


def test_broker_annotations():
    """S-32: sequence number (long), enqueued time and locked-until (timestamps), state (int); a sender cannot forge them."""
    forged = {"x-opt-sequence-number": 99, "x-opt-locked-until": t.Timestamp(1), "x-opt-partition-key": "p"}
    envelope = Envelope(build(properties=["i"], annotations=forged, data=b""))
    found = dict(sections(envelope.wire(7, 1.5, 1, 0, 2.5, 3)))[0x72]
    assert found == {
        "x-opt-enqueued-time": 1500,
        "x-opt-sequence-number": 7,
        "x-opt-message-state": 1,
        "x-opt-locked-until": 2500,
        "x-opt-enqueue-sequence-number": 3,
        "x-opt-partition-key": "p",
    }
    assert [type(found[k]) for k in ("x-opt-enqueued-time", "x-opt-sequence-number", "x-opt-message-state")] == [
        t.Timestamp,
        t.Long,
        t.Int,
    ]


def test_an_ordinary_delivery_does_not_tell_its_state():
    """S-32: peeked and deferred messages have a state; what is received has four annotations, without a lock three
    (azure-servicebus: test_message_backcompat_…)."""
    message = Message(Envelope(build(annotations={"x-opt-partition-key": "p"}, data=b"")), 1, 2.0, None)
    assert "x-opt-message-state" in dict(sections(encode_message(message, locked=False, stated=True)))[0x72]
    message.locked_until, message.token = 3.0, bytes(16)
    locked, plain = (dict(sections(encode_message(message, locked=locked)))[0x72] for locked in (True, False))
    assert set(locked) == {*plain, "x-opt-locked-until"}
    assert set(plain) == {"x-opt-enqueued-time", "x-opt-sequence-number", "x-opt-partition-key"}


def test_many_annotations_need_the_long_map():
    """Annotations of more than 255 bytes or items are written as map32."""
    extra = {f"x-{n:03d}": "v" * 10 for n in range(200)}
    found = dict(sections(Envelope(build(annotations=extra, data=b"")).wire(1, 0.0, 0, 0)))[0x72]
    assert {k: v for k, v in found.items() if k in extra} == extra


def test_ttl_from_header_or_absolute_expiry():
    """S-35, S-50: ttl comes from the header; without one from absolute-expiry-time minus creation-time."""
    assert Envelope(build(header=[None, None, t.UInt(1500), None, None], data=b"")).ttl == 1.5
    times = [None] * 8 + [t.Timestamp(5000), t.Timestamp(2000)]
    assert Envelope(build(properties=times, data=b"")).ttl == 3.0


def test_the_entity_s_shorter_ttl_is_stamped():
    """S-35: the entity's default shows in the header, beside what was there."""
    envelope = Envelope(described(0x70, True, t.UByte(9), t.UInt(9000), None, None) + build(data=b""))
    envelope.limit_ttl(2.5)
    assert dict(sections(envelope.wire(1, 0.0, 0, 0)))[0x70] == [True, 9, 2500, None, 0]


def test_long_descriptors_are_written_anew():
    """Part B: azure-servicebus skips three bytes of each section blindly, so `00 80 …` becomes `00 53 …`."""
    long = (
        b"\x00\x80"
        + (0x73).to_bytes(8, "big")
        + encode(["id"])
        + b"\x00\x80"
        + (0x75).to_bytes(8, "big")
        + b"\xa0\x01x"
    )
    envelope = Envelope(long)
    assert envelope.message_id == "id"
    assert envelope.wire(1, 0.0, 0, 0).endswith(b"\x00\x53\x73" + encode(["id"]) + b"\x00\x53\x75\xa0\x01x")


def test_annotations_behind_the_body_are_moved():
    """S-37: azure-servicebus writes delivery annotations last; they come out where they belong."""
    bare = build(properties=["id"], data=b"x") + described_map(0x78, {t.Symbol("f"): 1})
    wire = Envelope(bare + described_map(0x71, {t.Symbol("d"): 2})).wire(1, 0.0, 0, 0)
    assert [code for code, _ in sections(wire)] == [0x70, 0x71, 0x72, 0x73, 0x75, 0x78]
    assert wire.endswith(bare)


def test_delivery_annotations_are_always_there():
    """S-32, S-39: a peek-locked message has its lock token among them, as a uuid, beside those of the sender; without a
    lock there is an empty map (azure-servicebus: test_message_backcompat_…)."""
    tag, token = bytes(range(16)), uuid.UUID(bytes_le=bytes(range(16)))
    plain, annotated = Envelope(build(data=b"x")), Envelope(described_map(0x71, {t.Symbol("d"): 2}) + build(data=b"x"))
    assert sections(plain.wire(1, 0.0, 0, 0))[1] == (0x71, {})
    assert sections(plain.wire(1, 0.0, 0, 0, lock_token=tag))[1] == (0x71, {"x-opt-lock-token": token})
    assert sections(annotated.wire(1, 0.0, 0, 0))[1] == (0x71, {"d": 2})
    assert sections(annotated.wire(1, 0.0, 0, 0, lock_token=tag))[1] == (0x71, {"d": 2, "x-opt-lock-token": token})


@pytest.mark.parametrize(("sign", "scale"), [(0, 4), (0x80, 4), (0, 28), (0, -3)])
def test_decimals_go_out_in_the_form_of_the_service(sign, scale):
    """S-36: .NET shifts the exponent of a decimal128 by 9 bits, not 7, and the SDKs read nothing else."""
    exponent = 6176 - scale
    sent = bytes((sign | exponent >> 7, (exponent & 0x7F) << 1)) + bytes(12) + b"\x30\x39"
    expected = bytes((sign | exponent >> 9, (exponent & 0x7F) << 1)) + bytes(12) + b"\x30\x39"
    raw = build(properties=["id"], application_properties={"d": t.Decimal(sent), "s": "\x94"}, data=b"\x94")
    envelope = Envelope(raw)
    assert dict(sections(envelope.wire(1, 0.0, 0, 0)))[0x74] == {"d": expected, "s": "\x94"}
    assert envelope.body() == ("data", [b"\x94"])
    assert Envelope(envelope.wire(1, 0.0, 0, 0)).wire(1, 0.0, 0, 0) == envelope.wire(1, 0.0, 0, 0), "and stay so"


def test_a_decimal_that_dotnet_has_not_stays_as_it_is():
    """S-36: a far exponent is passed through."""
    raw = build(application_properties={"d": t.Decimal(b"\x2f\x3c" + bytes(14)), "e": t.Decimal(bytes(4))}, data=b"")
    assert Envelope(raw).wire(1, 0.0, 0, 0).endswith(raw)


def test_unreadable_properties_still_dead_letter_and_render():
    """S-33: application properties that are no map are replaced by the reason; the ledger shows what can be shown."""
    envelope = Envelope(build(properties=["id"]) + b"\x00\x53\x74\xc1\x03\x01\x40\x40" + b"\x00\x53\x75\xa0\x01x")
    assert envelope.facts()["message_id"] == "id"
    assert envelope.updated({"DeadLetterReason": "r"}).application_properties() == {"DeadLetterReason": "r"}


def test_batch_is_one_message_a_data_section():
    """S-65: the envelope of a batch holds one whole message a data section."""
    inner = [build(properties=[f"m{n}"], data=b"%d" % n) for n in range(3)]
    raw = build(properties=["m0"]) + b"".join(b"\x00\x53\x75" + encode(one) for one in inner)
    assert [message.message_id for message in batch(raw)] == ["m0", "m1", "m2"]


@given(st.binary(max_size=120))
@settings(max_examples=300)
def test_any_bytes_are_a_message_or_refused(raw):
    """Hostile payloads raise `DecodeError` and nothing else."""
    for read in (Envelope, batch):
        with contextlib.suppress(DecodeError):
            read(raw)


@pytest.mark.parametrize("raw", [b"\x00\x53\x75", b"\x00\x53\x99\x40", b"\x00\x53\x60\x45", b"abc"])
def test_broken_messages_are_refused(raw):
    """Truncated, unknown and misplaced sections are decode errors."""
    with pytest.raises(DecodeError):
        Envelope(raw)


def test_a_partition_key_may_come_as_binary() -> None:
    """S-63: azure-servicebus sends it so; it is compared with the session id, which is text."""
    for key in ("s", b"s"):
        raw = b"\x00\x53\x72" + encode({t.Symbol("x-opt-partition-key"): key}) + b"\x00\x53\x75" + encode(b"x")
        assert Envelope(raw).partition_key == "s"


def test_sections_may_come_in_any_order():
    """rhea, and with it @azure/service-bus, writes the footer before the body; the service takes it."""
    sections = {
        "header": described(0x70, True, t.UByte(3)),
        "annotations": described_map(0x72, {t.Symbol("x"): 1}),
        "properties": described(0x73, "id"),
        "application": described_map(0x74, {"k": "v"}),
        "body": b"\x00\x53\x75" + encode(b"hello"),
        "footer": described_map(0x78, {t.Symbol("f"): 1}),
    }
    ordered = Envelope(b"".join(sections.values()))
    for names in (reversed(sections), ["properties", "application", "footer", "body", "header", "annotations"]):
        message = Envelope(b"".join(sections[name] for name in names))
        assert message.body() == ("data", [b"hello"])
        assert message.wire(1, 0.0, None, 0) == ordered.wire(1, 0.0, None, 0)


def test_a_section_twice_is_an_error():
    with pytest.raises(DecodeError, match="has no place"):
        Envelope(described(0x73, "id") + b"\x00\x53\x75" + encode(b"x") + described(0x73, "id"))


def test_first_acquirer_is_kept():
    """The header's fourth field comes back as it was sent, with a time to live of the queue's, too."""
    message = Envelope(described(0x70, None, None, None, True) + b"\x00\x53\x75" + encode(b"x"))
    for _ in range(2):
        fields = decode.fields(message.wire(1, 0.0, None, 2), 3)[0]
        assert fields[3:5] == [True, 2]
        message.limit_ttl(60.0)
    assert fields[2] == 60_000
