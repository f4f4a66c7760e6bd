"""Recorded messages: what a queue held is what a file says, and what is sent from it."""

from __future__ import annotations

import base64
import json
import math
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peeklock.servicebus import (
    Client,
    Emulator,
    Queue,
    ReceivedMessage,
    RecordedMessage,
    RecordingInvalid,
    Topology,
    read_recording,
    write_recording,
)
from peeklock.servicebus.amqp import Envelope
from peeklock.servicebus.amqp.encode import encode
from peeklock.servicebus.amqp.tagged_json import tag, untag
from peeklock.servicebus.amqp.types import (
    Array,
    Byte,
    Char,
    Decimal,
    Described,
    Float,
    Int,
    Short,
    Symbol,
    Timestamp,
    UByte,
    UInt,
    ULong,
    UShort,
)

VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.text(st.characters(exclude_categories=["Cs"])),
    st.binary(),
    st.floats(),
    st.uuids(),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(0, 255).map(UByte),
    st.integers(0, 2**16 - 1).map(UShort),
    st.integers(0, 2**32 - 1).map(UInt),
    st.integers(0, 2**64 - 1).map(ULong),
    st.integers(-128, 127).map(Byte),
    st.integers(-(2**15), 2**15 - 1).map(Short),
    st.integers(-(2**31), 2**31 - 1).map(Int),
    st.integers(-(2**63), 2**63 - 1).map(Timestamp),
    st.floats(width=32).map(Float),
    st.characters(exclude_categories=["Cs"]).map(Char),
    st.text("abc:-").map(Symbol),
    st.binary(min_size=8, max_size=8).map(Decimal),
    st.just(Described(Symbol("com.microsoft:timespan"), 5)),
    st.just(Array.symbols("a", "b")),
)


@given(VALUES)
def test_every_amqp_value_survives_as_json(value: Any) -> None:
    again = untag(json.loads(json.dumps(tag(value), allow_nan=False)))
    assert encode(again) == encode(value) or (isinstance(value, float) and math.isnan(value) and math.isnan(again))


def bare(message: ReceivedMessage) -> tuple[object, ...]:
    """What its sender said of it, as bytes."""
    envelope = Envelope(message.raw)
    return (
        [envelope.raw_property(index) for index in range(13)],
        envelope.raw_maps()[1],
        envelope.raw_body(),
        envelope.ttl,
        envelope.partition_key,
    )


EVERYTHING = {
    "message_id": "m-1",
    "correlation_id": {"ulong": 7},
    "session_id": "customer-7",
    "subject": "a subject",
    "content_type": "application/json",
    "content_encoding": "utf-8",
    "to": "there",
    "reply_to": "back",
    "reply_to_session_id": "rs",
    "user_id": {"binary": "bWU="},
    "group_sequence": 4,
    "partition_key": "customer-7",
    "time_to_live": 90.5,
    "properties": {
        "text": "é",
        "whole": 5,
        "half": 0.5,
        "yes": True,
        "nothing": None,
        "small": {"int": 5},
        "at": {"timestamp": "2026-01-31T10:00:00.123Z"},
        "who": {"uuid": str(uuid.UUID(int=5))},
        "raw": {"binary": base64.b64encode(b"\xff\x00").decode()},
    },
    "json": {"b": [1, 2.5, None, "ü"], "a": {}},
}
BODIES: list[dict[str, Any]] = [
    {"text": '{"compact":1}'},
    {"text": ""},
    {"base64": base64.b64encode(b"\xff\xfe").decode()},
    {"amqp_body": base64.b64encode(b"\x00\x53\x77" + encode({"order": 7})).decode()},
    {"amqp_body": base64.b64encode((b"\x00\x53\x75" + encode(b"half")) * 2).decode()},
]


def test_what_was_recorded_is_sent_as_it_was() -> None:
    """From a queue to a file to another queue: every property and the body, byte for byte."""
    queues = {"v2": Queue(requires_session=True), "v3": Queue(requires_session=True)}
    sent = [EVERYTHING, *(EVERYTHING | {"message_id": f"b-{i}", "json": None} | b for i, b in enumerate(BODIES))]
    for facts in sent[1:]:
        del facts["json"]
    with Emulator(Topology(queues=queues)) as emulator, Client(emulator.connection_string()) as client:
        client.send("v2", [RecordedMessage(facts) for facts in sent])
        before = client.peek("v2")
        text = write_recording(map(RecordedMessage.of, before))
        client.send("v3", read_recording(text))
        after = client.peek("v3")
    assert [json.loads(line) for line in text.splitlines()] == sent
    assert [bare(message) for message in after] == [bare(message) for message in before]


def test_a_file_is_lines_an_array_or_objects_over_several_lines() -> None:
    one, two = '{\n "message_id": "1"\n}', '{"message_id": "2"}'
    for text in (f"{one}\n{two}\n", f"[{one},\n {two}]", f"\ufeff{one}{two}"):
        assert [message.message_id for message in read_recording(text)] == ["1", "2"]


def test_another_value_replaces_what_was_recorded_and_properties_are_added() -> None:
    recorded = RecordedMessage({"message_id": "1", "properties": {"a": 1, "b": 2}, "text": "t"})
    changed = recorded.replaced({"message_id": "2", "properties": {"b": 3}})
    assert changed.facts == {"message_id": "2", "properties": {"a": 1, "b": 3}, "text": "t"}


@pytest.mark.parametrize(
    ("text", "line", "problem", "help_"),
    [
        ('{"json": 1}\n{"json": 1', 2, "not JSON: Expecting ',' delimiter", ""),
        (
            '{"json": 1}\n\n{\n"mesage_id": "1"}',
            4,
            'a recorded message has no "mesage_id"',
            'did you mean "message_id"?',
        ),
        ('{"application_properties": {}}', 1, 'a recorded message has no "application_properties"', '"properties"'),
        ('{"properties":\n {"n": {"int": 99999999999}}}', 2, '"n" has no AMQP type', "int: a whole number from -2147"),
        ('{"properties": {"n": {"integer": 5}}}', 1, '"n" has no AMQP type', "ubyte, ushort, uint"),
        ('{"properties": {"n": [1]}}', 1, '"n" has no AMQP type', "{int: 5}"),
        ('{"properties": {"t": {"timestamp": "2026-01-31T10:00:00"}}}', 1, '"t" has no AMQP type', "with its zone"),
        ('{"text": "a", "json": 1}', 1, "a message has one body, not json and text", ""),
        ('{"text": {"a": 1}}', 1, '"text" has the wrong type', "write json"),
        ('{"base64": "?"}', 1, '"base64" is not base64', ""),
        ('{"amqp_body": "AFNzwAEA"}', 1, '"amqp_body" holds no encoded body sections', ""),
        ('{"time_to_live": "soon"}', 1, '"time_to_live" has the wrong type', "10m"),
        ('{"session_id": 7}', 1, '"session_id" has the wrong type', "text"),
        ('{"json": 1, "json": 2}', 1, 'the key "json" stands twice', ""),
        ('{"json": NaN}', 1, "NaN is no number", ""),
        ('{"text": "\\ud800"}', 1, "half of a surrogate pair", ""),
        ("[1]", 1, "a recorded message is a JSON object", "message_id"),
        ('[{"json": 1} {"json": 2}]', 1, "expecting , or ]", ""),
        ('[{"json": 1}', 1, "expecting , or ]", ""),
        ('[{"json": 1}] 5', 1, "more follows it", ""),
        (" \n", 1, "there is no message in it", "peeklock record"),
    ],
)
def test_a_wrong_file_is_told_by_line_and_remedy(text: str, line: int, problem: str, help_: str) -> None:
    with pytest.raises(RecordingInvalid) as caught:
        read_recording(text)
    error = caught.value
    assert error.line == line
    assert problem in error.problem
    assert help_ in error.expected + error.fix
