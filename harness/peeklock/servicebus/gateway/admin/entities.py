"""Queues, topics and subscriptions in the administration API: their properties, in the one order that there is (S-84)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from xml.etree.ElementTree import Element, SubElement

from peeklock.servicebus import topology
from peeklock.servicebus.auth import RIGHTS, AccessRule
from peeklock.servicebus.broker import Queue
from peeklock.servicebus.broker.errors import ArgumentError

from .document import COUNTS, add, described, local, read_fields
from .spans import read_span, write_moment, write_span

QUEUE = (
    "LockDuration", "MaxSizeInMegabytes", "RequiresDuplicateDetection", "RequiresSession", "DefaultMessageTimeToLive",
    "DeadLetteringOnMessageExpiration", "DuplicateDetectionHistoryTimeWindow", "MaxDeliveryCount",
    "EnableBatchedOperations", "SizeInBytes", "MessageCount", "IsAnonymousAccessible", "AuthorizationRules", "Status",
    "CreatedAt", "UpdatedAt", "AccessedAt", "SupportOrdering", "CountDetails", "AutoDeleteOnIdle", "EnablePartitioning",
    "EntityAvailabilityStatus", "EnableExpress", "ForwardTo", "UserMetadata", "ForwardDeadLetteredMessagesTo",
    "MaxMessageSizeInKilobytes",
)  # fmt: skip
TOPIC = (
    "DefaultMessageTimeToLive", "MaxSizeInMegabytes", "RequiresDuplicateDetection",
    "DuplicateDetectionHistoryTimeWindow", "EnableBatchedOperations", "SizeInBytes", "FilteringMessagesBeforePublishing",
    "IsAnonymousAccessible", "AuthorizationRules", "Status", "CreatedAt", "UpdatedAt", "AccessedAt", "SupportOrdering",
    "CountDetails", "SubscriptionCount", "SqlFilterCount", "CorrelationFilterCount", "AutoDeleteOnIdle",
    "EnablePartitioning", "EntityAvailabilityStatus", "EnableSubscriptionPartitioning", "EnableExpress", "UserMetadata",
    "MaxMessageSizeInKilobytes",
)  # fmt: skip
SUBSCRIPTION = (
    "LockDuration", "RequiresSession", "DefaultMessageTimeToLive", "DeadLetteringOnMessageExpiration",
    "DeadLetteringOnFilterEvaluationExceptions", "MessageCount", "MaxDeliveryCount", "EnableBatchedOperations", "Status",
    "ForwardTo", "CreatedAt", "UpdatedAt", "AccessedAt", "CountDetails", "ForwardDeadLetteredMessagesTo",
    "AutoDeleteOnIdle", "EntityAvailabilityStatus", "UserMetadata", "DefaultRuleDescription",
)  # fmt: skip
SEQUENCES = {"QueueDescription": QUEUE, "TopicDescription": TOPIC, "SubscriptionDescription": SUBSCRIPTION}

# properties that are kept and shown, and that change nothing here
_KEPT: dict[str, Callable[[str, str], str]] = {}
_IMMUTABLE = ("RequiresDuplicateDetection", "RequiresSession", "EnablePartitioning")
_MAX_LOCK = 300.0
_MAX_WINDOW = 7 * 86_400.0
_MAX_AUTHORIZATION_RULES = 12
_PREMIUM_KILOBYTES = range(1024, 102_401)
_DEFAULT_WINDOW = 600.0
_MAX_MEGABYTES = 5_120
PARTITIONS = 16


@dataclass(slots=True)
class Record:
    """What is known of an entity beside what the broker needs: epoch seconds, and properties as they are written."""

    created: float
    updated: float
    kept: dict[str, str] = field(default_factory=dict)
    authorization: list[dict[str, Any]] = field(default_factory=list)


def _flag(text: str, name: str) -> bool:
    try:
        return {"true": True, "1": True, "false": False, "0": False}[text.strip().lower()]
    except KeyError:
        raise ArgumentError(f"{name}: '{text[:60]}' is neither true nor false.") from None


def _number(text: str, name: str) -> int:
    if not text.strip().isdecimal() or len(text) > 12:
        raise ArgumentError(f"{name}: '{text[:60]}' is no whole number from 0 on.")
    return int(text)


def _limited(least: float, most: float) -> Callable[[str, str], float]:
    def read(text: str, name: str) -> float:
        seconds = read_span(text, name)
        if seconds is None or not least <= seconds <= most:
            raise ArgumentError(f"{name}: '{text[:60]}' is not between {write_span(least)} and {write_span(most)}.")
        return seconds

    return read


def _lifetime(text: str, name: str) -> float | None:
    seconds = read_span(text, name)
    if seconds is not None and seconds <= 0:
        raise ArgumentError(f"{name}: it is above zero.")
    return seconds


def _idle(text: str, name: str) -> float | None:
    seconds = read_span(text, name)
    if seconds is not None and seconds < topology.LEAST_IDLE:
        raise ArgumentError(f"{name}: it is {write_span(topology.LEAST_IDLE)} or more.")
    return seconds


def _as_is(text: str, name: str) -> str:  # noqa: ARG001 -- all readers have one signature
    return text


def _as_flag(text: str, name: str) -> str:
    return str(_flag(text, name)).lower()


_SETTINGS: dict[str, tuple[str, Callable[[str, str], Any]]] = {
    "LockDuration": ("lock_duration", _limited(0.001, _MAX_LOCK)),
    "MaxSizeInMegabytes": ("max_size_in_megabytes", _number),
    "RequiresSession": ("requires_session", _flag),
    "DefaultMessageTimeToLive": ("default_time_to_live", _lifetime),
    "DeadLetteringOnMessageExpiration": ("dead_lettering_on_expiration", _flag),
    "DeadLetteringOnFilterEvaluationExceptions": ("dead_lettering_on_filter_evaluation_exceptions", _flag),
    "MaxDeliveryCount": ("max_delivery_count", _number),
    "ForwardTo": ("forward_to", _as_is),
    "ForwardDeadLetteredMessagesTo": ("forward_dead_lettered_messages_to", _as_is),
    "MaxMessageSizeInKilobytes": ("max_message_size_in_kilobytes", _number),
    "AutoDeleteOnIdle": ("auto_delete_on_idle", _idle),
    "EnablePartitioning": ("partitioned", _flag),
    "Status": ("status", _as_is),
}
_KEPT |= {
    "EnableBatchedOperations": _as_flag,
    "EnableExpress": _as_flag,
    "EnableSubscriptionPartitioning": _as_flag,
    "FilteringMessagesBeforePublishing": _as_flag,
    "IsAnonymousAccessible": _as_flag,
    "SupportOrdering": _as_flag,
    "UserMetadata": _as_is,
}
_KEPT_DEFAULTS = {
    "EnableBatchedOperations": "true",
    "EnableExpress": "false",
    "EnableSubscriptionPartitioning": "false",
    "FilteringMessagesBeforePublishing": "false",
    "IsAnonymousAccessible": "false",
    "SupportOrdering": "true",
}


def read_entity(
    kind: str, description: Element, old: tuple[Any, Record] | None, now: float, *, premium: bool
) -> tuple[Any, Record, dict[str, Element]]:
    """Return the settings (of `peeklock.servicebus.topology`), the record and the elements that a description gives to an
    entity that is new, or that was `old`. Raises `ArgumentError`."""
    fields = read_fields(description, SEQUENCES[kind])
    texts = {name: element.text or "" for name, element in fields.items() if len(element) == 0}
    make = {
        "QueueDescription": topology.Queue,
        "TopicDescription": topology.Topic,
        "SubscriptionDescription": topology.Subscription,
    }[kind]
    known = {setting.name for setting in dataclasses.fields(make)}
    values: dict[str, Any] = {}
    for name, (attribute, read) in _SETTINGS.items():
        if texts.get(name) and attribute in known:
            values[attribute] = read(texts[name], name)
    if values.get("partitioned") and values.get("max_size_in_megabytes", 0) > _MAX_MEGABYTES:
        # clients send back what they were shown: the size of all partitions together
        values["max_size_in_megabytes"] //= PARTITIONS
    if (size := values.get("max_message_size_in_kilobytes")) is not None:
        unchanged = old is not None and size == old[0].max_message_size_in_kilobytes
        if not unchanged and not (premium and size in _PREMIUM_KILOBYTES):
            raise ArgumentError(
                "MaxMessageSizeInKilobytes: it can be given in the Premium tier only, from 1024 to 102400."
            )
    elif premium and "max_message_size_in_kilobytes" in known:
        values["max_message_size_in_kilobytes"] = _PREMIUM_KILOBYTES[0]
    record = _record(texts, fields.get("AuthorizationRules"), old, now)
    if "duplicate_detection_window" in known:
        window = _limited(0.001, _MAX_WINDOW)(
            record.kept["DuplicateDetectionHistoryTimeWindow"], "DuplicateDetectionHistoryTimeWindow"
        )
        detects = _flag(texts.get("RequiresDuplicateDetection") or "false", "RequiresDuplicateDetection")
        values["duplicate_detection_window"] = window if detects else None
    settings = make(**values)
    if old is not None:
        _check_immutable(settings, old[0])
    return settings, record, fields


def _record(
    texts: Mapping[str, str], authorization: Element | None, old: tuple[Any, Record] | None, now: float
) -> Record:
    kept = {name: read(texts[name], name) for name, read in _KEPT.items() if texts.get(name)}
    window = texts.get("DuplicateDetectionHistoryTimeWindow")
    kept["DuplicateDetectionHistoryTimeWindow"] = window or write_span(_DEFAULT_WINDOW)
    return Record(
        now if old is None else old[1].created, now, kept, [] if authorization is None else _read_rules(authorization)
    )


def _check_immutable(settings: Any, old_settings: Any) -> None:
    changed = {
        "RequiresDuplicateDetection": (settings.duplicate_detection_window is None)
        != (old_settings.duplicate_detection_window is None),
        "RequiresSession": settings.requires_session != old_settings.requires_session,
        "EnablePartitioning": settings.partitioned != old_settings.partitioned,
    }
    for name in _IMMUTABLE:
        if changed[name]:
            raise ArgumentError(f"The value of the property '{name}' of an existing entity cannot be changed.")


def _read_rules(element: Element) -> list[dict[str, Any]]:
    rules = []
    for rule in element:
        parts = {local(child): child for child in rule}
        texts: dict[str, Any] = {name: child.text or "" for name, child in parts.items() if name != "Rights"}
        texts["Rights"] = [right.text or "" for right in parts.get("Rights", ())]
        if not texts.get("KeyName") or not texts.get("PrimaryKey"):
            raise ArgumentError("AuthorizationRules: a rule needs KeyName and PrimaryKey.")
        if not texts["Rights"] or not set(texts["Rights"]) <= set(RIGHTS):
            raise ArgumentError(f"AuthorizationRules: the rights are some of {', '.join(RIGHTS)}.")
        rules.append(texts)
    if len(rules) > _MAX_AUTHORIZATION_RULES:
        raise ArgumentError(f"AuthorizationRules: an entity has {_MAX_AUTHORIZATION_RULES} at most.")
    return rules


def access_rules(path: str, record: Record) -> list[AccessRule]:
    """Return the access rules that the authorisation rules of an entity stand for: one for each of their keys."""
    return [
        AccessRule(rule["KeyName"], rule[key], tuple(rule["Rights"]), path)
        for rule in record.authorization
        for key in ("PrimaryKey", "SecondaryKey")
        if rule.get(key)
    ]


def write_entity(kind: str, entity: Queue, record: Record, counts: Mapping[str, str], *, sizes: bool) -> Element:
    """Describe an entity; `counts` are texts of its own kind, and `sizes` says that messages have a size limit to show."""
    settings = entity.settings
    shown: dict[str, str | None] = {**_KEPT_DEFAULTS, **record.kept, **counts}
    for name, (attribute, _) in _SETTINGS.items():
        value = getattr(settings, attribute, None)
        if isinstance(value, bool):
            shown[name] = str(value).lower()
        elif name in ("LockDuration", "DefaultMessageTimeToLive", "AutoDeleteOnIdle"):
            shown[name] = write_span(value)
        else:
            shown[name] = None if value is None else str(value)
    shown["Status"] = entity.gate.status
    if settings.partitioned:
        shown["MaxSizeInMegabytes"] = str(settings.max_size_in_megabytes * PARTITIONS)
    if not sizes:
        shown["MaxMessageSizeInKilobytes"] = None
    shown["RequiresDuplicateDetection"] = str(settings.duplicate_detection_window is not None).lower()
    if settings.duplicate_detection_window is not None:
        shown["DuplicateDetectionHistoryTimeWindow"] = write_span(settings.duplicate_detection_window)
    shown.setdefault("DuplicateDetectionHistoryTimeWindow", write_span(_DEFAULT_WINDOW))
    shown |= {
        "SizeInBytes": str(entity.stored_bytes()),
        "MessageCount": str(sum(_counted(entity).values())),
        "CreatedAt": write_moment(record.created),
        "UpdatedAt": write_moment(record.updated),
        "AccessedAt": write_moment(record.created),
        "EntityAvailabilityStatus": "Available",
    }
    result = described(kind)
    for name in SEQUENCES[kind]:
        if name == "AuthorizationRules":
            _write_rules(SubElement(result, name), record.authorization)
        elif name == "CountDetails":
            details = SubElement(result, name, {"xmlns:d2p1": COUNTS})
            for count, number in _counted(entity).items():
                add(details, f"d2p1:{count}", str(number))
        elif (text := shown.get(name)) is not None:
            add(result, name, text)
    return result


def _counted(entity: Queue) -> dict[str, int]:
    dead, transferred = entity.dead_letters, entity.transfer_dead_letters
    return {
        "ActiveMessageCount": entity.log.active + entity.log.locked + entity.log.deferred,
        "DeadLetterMessageCount": _held(dead),
        "ScheduledMessageCount": entity.log.scheduled,
        "TransferDeadLetterMessageCount": _held(transferred),
        "TransferMessageCount": 0,
    }


def _held(queue: Queue | None) -> int:
    return 0 if queue is None else queue.log.active + queue.log.locked + queue.log.deferred


def _write_rules(parent: Element, rules: Sequence[Mapping[str, Any]]) -> None:
    for rule in rules:
        element = SubElement(parent, "AuthorizationRule", {"i:type": "SharedAccessAuthorizationRule"})
        add(element, "ClaimType", "SharedAccessKey")
        add(element, "ClaimValue", "None")
        rights = SubElement(element, "Rights")
        for right in rule["Rights"]:
            add(rights, "AccessRights", right)
        for name in ("CreatedTime", "ModifiedTime", "KeyName", "PrimaryKey", "SecondaryKey"):
            if rule.get(name):
                add(element, name, rule[name])
