"""Queues, topics and subscriptions in the administration API: their properties, in the one order that there is (S-84)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from xml.etree.ElementTree import Element, SubElement

from peeklock.servicebus import entity_settings
from peeklock.servicebus.auth import RIGHTS, AccessRule
from peeklock.servicebus.broker import Queue
from peeklock.servicebus.broker.errors import ArgumentError
from peeklock.servicebus.entity_settings import SETTINGS, EntitySettings, Setting, settings_of

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
_MADE: dict[str, type[EntitySettings]] = {
    "QueueDescription": entity_settings.Queue,
    "TopicDescription": entity_settings.Topic,
    "SubscriptionDescription": entity_settings.Subscription,
}

# properties that are kept and shown, and that change nothing here
_KEPT: dict[str, Callable[[str, str], str]] = {}
_WINDOW = SETTINGS["duplicate_detection_window"]
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


def _read(setting: Setting, text: str) -> Any:
    """Read the text of a setting. Raises `ArgumentError` that names it."""
    name = setting.official
    if setting.unit == "flag":
        return _flag(text, name)
    if setting.unit == "count":
        return _number(text, name)
    return _span(setting, text) if setting.unit == "seconds" else text


def _span(setting: Setting, text: str) -> float | None:
    seconds = read_span(text, setting.official)
    if setting.administered is not None:
        if seconds is None or not setting.least <= seconds <= setting.administered:
            limits = f"{write_span(setting.least)} and {write_span(setting.administered)}"
            raise ArgumentError(f"{setting.official}: '{text[:60]}' is not between {limits}.")
    elif seconds is not None and seconds < setting.least:
        raise ArgumentError(f"{setting.official}: it is {write_span(setting.least)} or more.")
    return seconds


def _as_is(text: str, name: str) -> str:  # noqa: ARG001 -- all readers have one signature
    return text


def _as_flag(text: str, name: str) -> str:
    return str(_flag(text, name)).lower()


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
    """Return the settings, the record and the elements that a description gives to an
    entity that is new, or that was `old`. Raises `ArgumentError`."""
    fields = read_fields(description, SEQUENCES[kind])
    texts = {name: element.text or "" for name, element in fields.items() if len(element) == 0}
    make = _MADE[kind]
    settings = settings_of(make)
    values: dict[str, Any] = {
        setting.name: _read(setting, text)
        for setting in settings
        if setting.switch is None and (text := texts.get(setting.official))
    }
    if values.get("partitioned") and values.get("max_size_in_megabytes", 0) > _MAX_MEGABYTES:
        # clients send back what they were shown: the size of all partitions together
        values["max_size_in_megabytes"] //= PARTITIONS
    if (size := values.get("max_message_size_in_kilobytes")) is not None:
        unchanged = old is not None and size == old[0].max_message_size_in_kilobytes
        if not unchanged and not (premium and size in _PREMIUM_KILOBYTES):
            raise ArgumentError(
                "MaxMessageSizeInKilobytes: it can be given in the Premium tier only, from 1024 to 102400."
            )
    elif premium and SETTINGS["max_message_size_in_kilobytes"] in settings:
        values["max_message_size_in_kilobytes"] = _PREMIUM_KILOBYTES[0]
    record = _record(texts, fields.get("AuthorizationRules"), old, now)
    if _WINDOW in settings:
        window = _span(_WINDOW, record.kept[_WINDOW.official])
        assert _WINDOW.switch is not None
        detects = _flag(texts.get(_WINDOW.switch) or "false", _WINDOW.switch)
        values[_WINDOW.name] = window if detects else None
    made = make(**values)
    if old is not None:
        _check_immutable(made, old[0])
    return made, record, fields


def _record(
    texts: Mapping[str, str], authorization: Element | None, old: tuple[Any, Record] | None, now: float
) -> Record:
    kept = {name: read(texts[name], name) for name, read in _KEPT.items() if texts.get(name)}
    kept[_WINDOW.official] = texts.get(_WINDOW.official) or write_span(_DEFAULT_WINDOW)
    return Record(
        now if old is None else old[1].created, now, kept, [] if authorization is None else _read_rules(authorization)
    )


def _check_immutable(settings: Any, old_settings: Any) -> None:
    for setting in settings_of(type(settings)):
        if setting.fixed and bool(getattr(settings, setting.name)) != bool(getattr(old_settings, setting.name)):
            name = setting.switch or setting.official
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
    for setting in settings_of(type(settings)):
        value = getattr(settings, setting.name)
        if setting.switch is not None:
            shown[setting.switch] = str(value is not None).lower()
            unused = record.kept.get(setting.official, write_span(_DEFAULT_WINDOW))
            shown[setting.official] = unused if value is None else write_span(value)
        elif setting.unit == "seconds":
            shown[setting.official] = write_span(value)
        elif setting.unit == "flag":
            shown[setting.official] = str(value).lower()
        else:
            shown[setting.official] = None if value is None else str(value)
    shown["Status"] = entity.gate.status
    if settings.partitioned:
        shown["MaxSizeInMegabytes"] = str(settings.max_size_in_megabytes * PARTITIONS)
    if not sizes:
        shown["MaxMessageSizeInKilobytes"] = None
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
