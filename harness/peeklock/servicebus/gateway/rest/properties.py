"""What REST says of a message in headers and JSON, as an AMQP message (S-78)."""

from __future__ import annotations

import json
import struct
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from peeklock.errors import PeeklockError
from peeklock.servicebus.amqp import Envelope
from peeklock.servicebus.amqp.sections import build
from peeklock.servicebus.amqp.types import Symbol, Timestamp, UInt
from peeklock.servicebus.settings import MAX_SECONDS


class RestRefused(PeeklockError):
    """An HTTP error in Service Bus's form: status and detail (S-80)."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


def envelope(body: bytes, broker: Mapping[str, Any], user: Mapping[str, Any], content_type: str | None) -> Envelope:
    """Return the message that a REST request describes: body, BrokerProperties, custom properties. Raises `RestRefused`."""

    def text(name: str) -> str | None:
        value = broker.get(name)
        return None if value is None else str(value)

    kind = content_type or text("ContentType")
    properties = [
        text("MessageId") or uuid.uuid4().hex, None, text("To"), text("Label"), text("ReplyTo"), text("CorrelationId"),
        Symbol(kind) if kind else None, None, None, None, text("SessionId"), None, text("ReplyToSessionId"),
    ]  # fmt: skip
    annotations: dict[str, Any] = {}
    if (at := text("ScheduledEnqueueTimeUtc")) is not None:
        annotations["x-opt-scheduled-enqueue-time"] = Timestamp(round(_moment(at).timestamp() * 1000))
    if (key := text("PartitionKey")) is not None:
        annotations["x-opt-partition-key"] = key
    header = None
    if (ttl := _time_to_live(broker)) is not None:
        header = [None, None, UInt(min(int(ttl * 1000), 0xFFFFFFFF)), None, None]
    try:
        return Envelope(
            build(
                properties=properties,
                application_properties={name: _scalar(name, value) for name, value in user.items()},
                annotations=annotations,
                data=body,
                header=header,
            )
        )
    except (ValueError, OverflowError, struct.error) as error:
        raise RestRefused(400, f"The message cannot be encoded: {error}.") from None


def _scalar(name: str, value: Any) -> Any:
    if not isinstance(value, str | int | float | bool | None):
        raise RestRefused(400, f"The property '{name}' is neither text, number, boolean nor null.")
    if isinstance(value, int) and not -(1 << 63) <= value < 1 << 63:
        raise RestRefused(400, f"The property '{name}' is an integer of more than 64 bits.")
    return value


def _time_to_live(broker: Mapping[str, Any]) -> float | None:
    if "TimeToLive" in broker:
        try:
            return _seconds(float(broker["TimeToLive"]), "TimeToLive")
        except (TypeError, ValueError, OverflowError):
            raise RestRefused(400, "TimeToLive is a number of seconds.") from None
    span = broker.get("TimeToLiveTimeSpan")
    if span is None:
        return None
    days, _, clock = (
        str(span).rpartition(".")
        if str(span).count(":") == 2 and "." in str(span).split(":")[0]
        else ("0", "", str(span))
    )
    try:
        hours, minutes, seconds = (float(part) for part in clock.split(":"))
        return _seconds(int(days) * 86400 + hours * 3600 + minutes * 60 + seconds, "TimeToLiveTimeSpan")
    except (ValueError, OverflowError):
        raise RestRefused(400, f"TimeToLiveTimeSpan '{span}' is no time span ([d.]hh:mm:ss).") from None


def _seconds(value: float, name: str) -> float:
    if not 0 <= value <= MAX_SECONDS:  # NaN is neither
        raise RestRefused(400, f"{name} is {value:g}: it is from 0 to {MAX_SECONDS:.0f} seconds.")
    return value


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        try:
            moment = parsedate_to_datetime(text)
        except (ValueError, TypeError):
            raise RestRefused(400, f"ScheduledEnqueueTimeUtc '{text}' is no point in time.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def json_object(text: str, what: str) -> dict[str, Any]:
    """Return the JSON object in a header. Raises `RestRefused`."""
    value = read_json(text, what)
    if not isinstance(value, dict):
        raise RestRefused(400, f"{what} is not a JSON object.")
    return value


def read_json(text: str | bytes, what: str) -> Any:
    """Return what JSON says: without NaN and the infinities, which are none. Raises `RestRefused`."""
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deep" if isinstance(error, RecursionError) else str(error)
        raise RestRefused(400, f"{what} is not JSON: {reason}") from None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def property_of(text: str) -> Any:
    """Read a header as an application property: JSON where it is a JSON scalar, else text."""
    try:
        value = read_json(text, "")
    except RestRefused:
        return text
    return value if isinstance(value, str | int | float | bool) or value is None else text
