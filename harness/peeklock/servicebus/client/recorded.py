"""Messages in a file: recorded from a queue, or written by hand, and sent as they were."""

from __future__ import annotations

import base64
import binascii
import difflib
import json
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from peeklock.durations import parse_duration
from peeklock.errors import PeeklockError
from peeklock.servicebus.amqp import Envelope
from peeklock.servicebus.amqp import decode as amqp_decode
from peeklock.servicebus.amqp.encode import compound, encode
from peeklock.servicebus.amqp.errors import DecodeError
from peeklock.servicebus.amqp.sections import APPLICATION_PROPERTIES, PROPERTIES, build, described_map, text_of
from peeklock.servicebus.amqp.tagged_json import UntaggedValue, tag, untag
from peeklock.servicebus.amqp.types import Symbol, Timestamp, UInt

from .messages import DEAD_LETTER_PROPERTIES, ReceivedMessage

_FIELDS: dict[str, tuple[int, type]] = {
    "message_id": (0, str),
    "correlation_id": (5, str),
    "session_id": (10, str),
    "subject": (3, str),
    "content_type": (6, Symbol),
    "content_encoding": (7, Symbol),
    "to": (2, str),
    "reply_to": (4, str),
    "reply_to_session_id": (12, str),
    "user_id": (1, bytes),
    "group_sequence": (11, UInt),
}
"""Where each stands among the properties of AMQP, and the type that is not written out."""
_BODIES = ("json", "text", "base64", "amqp_body")
KEYS = (*_FIELDS, "partition_key", "time_to_live", "properties", *_BODIES)
"""What a recorded message may say."""
_PARTITION_KEY = "x-opt-partition-key"
_DATA = b"\x00\x53\x75"


class RecordingInvalid(PeeklockError, ValueError):
    """A file of recorded messages that cannot be read: `line` counts from 1, `key` is the key that is wrong, if one is."""

    def __init__(self, problem: str, expected: str = "", fix: str = "", *, key: str = "", line: int = 1) -> None:
        super().__init__(problem, expected=expected, fix=fix)
        self.key, self.line = key, line


class RecordedMessage:
    """One message as a file has it: a JSON object whose keys are those of the verb `send`, body, properties and all.

    The body is `json`, `text`, `base64`, or `amqp_body` (base64 of encoded body sections, for what is not one data
    section). Values that JSON has no word for have their AMQP type: `{"int": 5}`, `{"timestamp": "…Z"}`.
    """

    def __init__(self, facts: Mapping[str, Any]) -> None:
        """Raises `RecordingInvalid`."""
        self.facts = dict(facts)
        """The JSON object."""
        self.scheduled_enqueue_time: datetime | None = None
        """When it is to appear; None: at once."""
        try:
            self._payload = _Payload.read(facts)
            given = self._payload.fields.get("message_id")
            self.message_id = uuid.uuid4().hex if given is None else text_of(given)
            self.encode()
        except UnicodeEncodeError:
            raise RecordingInvalid("a text holds half of a surrogate pair, which no UTF-8 has") from None

    @classmethod
    def of(cls, message: ReceivedMessage) -> RecordedMessage:
        """Record a message that was received or peeked. What the broker says of it is left out, as is why it was
        dead-lettered. Raises `DecodeError` when it cannot be read."""
        return cls(_facts(Envelope(message.raw)))

    def replaced(self, changes: Mapping[str, Any]) -> RecordedMessage:
        """Return the message with other values; those of `properties` are added to what it has."""
        properties = {**self.facts.get("properties", {}), **changes.get("properties", {})}
        facts = {**self.facts, **changes}
        return RecordedMessage(facts | {"properties": properties} if properties else facts)

    def encode(self) -> bytes:
        """Encode it as AMQP."""
        payload = self._payload
        parts = [b"\x40"] * _PROPERTIES
        for name, value in {**payload.fields, "message_id": payload.fields.get("message_id", self.message_id)}.items():
            parts[_FIELDS[name][0]] = encode(value)
        annotations = {} if payload.partition_key is None else {_PARTITION_KEY: payload.partition_key}
        if self.scheduled_enqueue_time is not None:
            at = Timestamp(round(self.scheduled_enqueue_time.timestamp() * 1000))
            annotations["x-opt-scheduled-enqueue-time"] = at
        header = None
        if payload.time_to_live is not None:
            header = [None, None, UInt(min(int(payload.time_to_live * 1000), 0xFFFFFFFF)), None, None]
        told = described_map(APPLICATION_PROPERTIES, payload.properties) if payload.properties else b""
        section = bytes((0, 0x53, PROPERTIES)) + compound(0xC0, parts)
        return build(header=header, annotations=annotations) + section + told + payload.body


_PROPERTIES = 13


def read_recording(text: str) -> list[RecordedMessage]:
    """Return the messages of a file: JSON objects one after another (JSON Lines), or an array of them.

    Raises `RecordingInvalid`, with the line of the file.
    """
    found = []
    for start, end, facts in _objects(text):
        try:
            if not isinstance(facts, dict):
                raise RecordingInvalid(
                    "a recorded message is a JSON object", 'for example {"message_id": "1", "json": {}}'
                )
            found.append(RecordedMessage(facts))
        except RecordingInvalid as error:
            at = text.find(json.dumps(error.key), start, end) if error.key else -1
            error.line = _line(text, max(at, start))
            raise
    if not found:
        raise RecordingInvalid("there is no message in it", fix="record some: peeklock record QUEUE --output FILE")
    return found


def write_recording(messages: Iterable[RecordedMessage]) -> str:
    """Return messages as JSON Lines, which `read_recording` reads."""
    return "".join(json.dumps(message.facts, ensure_ascii=False) + "\n" for message in messages)


def _objects(text: str) -> Iterator[tuple[int, int, Any]]:
    """Yield each JSON value with where it begins and ends."""
    decoder = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_no_number)
    blank = re.compile(r"[\s\ufeff]*")
    pos = blank.match(text).end()  # type: ignore[union-attr]
    array = text[pos : pos + 1] == "["
    pos += array
    while True:
        pos = blank.match(text, pos).end()  # type: ignore[union-attr]
        if pos == len(text) or (array and text[pos] == "]"):
            break
        try:
            value, end = decoder.raw_decode(text, pos)
        except json.JSONDecodeError as error:
            raise RecordingInvalid(f"not JSON: {error.msg}, column {error.colno}", line=error.lineno) from None
        except RecordingInvalid as error:
            error.line = _line(text, pos)
            raise
        except RecursionError:
            raise RecordingInvalid("nested too deeply", line=_line(text, pos)) from None
        yield pos, end, value
        pos = blank.match(text, end).end()  # type: ignore[union-attr]
        if array and text[pos : pos + 1] == ",":
            pos += 1
        elif array and text[pos : pos + 1] != "]":
            raise RecordingInvalid("not JSON: expecting , or ] after a message", line=_line(text, pos))
    if array and text[pos:].strip() != "]":
        raise RecordingInvalid("not JSON: the array does not end, or more follows it", line=_line(text, pos))


def _line(text: str, pos: int) -> int:
    return text.count("\n", 0, pos) + 1


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise RecordingInvalid(f'the key "{key}" stands twice in one object', key=key)
        found[key] = value
    return found


def _no_number(name: str) -> Any:
    raise RecordingInvalid(f"not JSON: {name} is no number of JSON")


class _Payload(NamedTuple):
    """A recorded message with AMQP's types."""

    fields: dict[str, Any]
    properties: dict[str, Any]
    partition_key: Any
    time_to_live: float | None
    body: bytes
    """The encoded body sections."""

    @classmethod
    def read(cls, facts: Mapping[str, Any]) -> _Payload:
        for key in facts:
            if key not in KEYS:
                near = difflib.get_close_matches(key, (*KEYS, *_OTHER_WORDS), n=1, cutoff=0.6)
                fix = f'did you mean "{_OTHER_WORDS.get(near[0], near[0])}"?' if near else ""
                raise RecordingInvalid(f'a recorded message has no "{key}"', "one of " + ", ".join(KEYS), fix, key=key)
        given = facts.get("properties", {})
        if not isinstance(given, dict):
            raise RecordingInvalid('"properties" has the wrong type', "an object", key="properties")
        return cls(
            fields={name: _field(name, facts[name]) for name in _FIELDS if facts.get(name) is not None},
            properties={name: _untagged(name, value) for name, value in given.items()},
            partition_key=_untagged("partition_key", facts.get("partition_key")),
            time_to_live=_seconds(facts.get("time_to_live")),
            body=_body(facts),
        )


_OTHER_WORDS = {
    "application_properties": "properties",
    "body": "json",
    "ttl": "time_to_live",
    "label": "subject",
    "body_base64": "base64",
    "user_properties": "properties",
}
"""How others call them."""


def _untagged(key: str, value: Any) -> Any:
    try:
        return untag(value)
    except UntaggedValue as error:
        raise RecordingInvalid(f'"{key}" has no AMQP type', str(error), key=key) from None


def _field(name: str, given: Any) -> Any:
    value = _untagged(name, given)
    kind = _FIELDS[name][1]
    if kind is UInt and isinstance(given, int) and not isinstance(given, bool) and 0 <= given < 2**32:
        return UInt(given)
    if type(value) is str and kind is Symbol and value.isascii():
        return Symbol(value)
    identifier = name in ("message_id", "correlation_id")
    if (type(value) is str and kind in (str, Symbol)) or (
        isinstance(given, dict) and (identifier or isinstance(value, kind))
    ):
        return value
    expected = {bytes: 'bytes: {"binary": base64}', UInt: "a whole number from 0"}.get(kind, "text")
    raise RecordingInvalid(f'"{name}" has the wrong type', expected, key=name)


def _seconds(given: Any) -> float | None:
    if given is None:
        return None
    try:
        seconds = parse_duration(given) if isinstance(given, str) else given
        if isinstance(seconds, int | float) and not isinstance(seconds, bool) and seconds > 0:
            return float(seconds)
    except ValueError:
        pass
    raise RecordingInvalid(
        '"time_to_live" has the wrong type', "seconds, or a duration such as 10m", key="time_to_live"
    )


def _body(facts: Mapping[str, Any]) -> bytes:
    kinds = [key for key in _BODIES if key in facts]
    if len(kinds) > 1:
        raise RecordingInvalid(f"a message has one body, not {' and '.join(kinds)}", key=kinds[1])
    kind = kinds[0] if kinds else "text"
    given = facts.get(kind, "")
    if kind == "json":
        return _DATA + encode(json_body(given))
    if not isinstance(given, str):
        raise RecordingInvalid(f'"{kind}" has the wrong type', "text", "write json for a JSON body", key=kind)
    if kind == "text":
        return _DATA + encode(given.encode())
    try:
        raw = base64.b64decode(given, validate=True)
    except binascii.Error:
        raise RecordingInvalid(f'"{kind}" is not base64', key=kind) from None
    if kind == "base64":
        return _DATA + encode(raw)
    try:
        if Envelope(raw).raw_body() == raw:
            return raw
    except DecodeError:
        pass
    raise RecordingInvalid('"amqp_body" holds no encoded body sections', "what `peeklock record` writes", key=kind)


def json_body(value: Any) -> bytes:
    """Return the bytes that stand for a JSON body."""
    return json.dumps(value, ensure_ascii=False).encode()


def _facts(envelope: Envelope) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    for name, (index, kind) in _FIELDS.items():
        value = amqp_decode.value(envelope.raw_property(index))[0]
        if value is not None:
            plain = type(value) is kind and kind in (Symbol, UInt)
            facts[name] = (str(value) if kind is Symbol else int(value)) if plain else tag(value)
    partition_key = envelope.annotations().get(_PARTITION_KEY)
    if partition_key is not None:
        facts["partition_key"] = tag(partition_key)
    if envelope.ttl is not None:
        facts["time_to_live"] = envelope.ttl
    properties = {
        str(name): tag(value)
        for name, value in envelope.typed_application_properties().items()
        if name not in DEAD_LETTER_PROPERTIES
    }
    return facts | ({"properties": properties} if properties else {}) | _body_facts(envelope)


def _body_facts(envelope: Envelope) -> dict[str, Any]:
    kind, parts = envelope.body()
    raw = envelope.raw_body()
    if kind == "none" and not raw:
        return {"text": ""}
    if kind != "data" or len(parts) != 1 or raw != _DATA + encode(parts[0]):
        return {"amqp_body": base64.b64encode(raw).decode()}
    try:
        text = parts[0].decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(parts[0]).decode()}
    try:
        value = json.loads(text, parse_constant=_no_number)
        if isinstance(value, dict | list) and json_body(value) == parts[0]:
            return {"json": value}
    except (ValueError, RecursionError):
        pass
    return {"text": text}
