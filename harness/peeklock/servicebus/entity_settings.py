"""The settings of queues, topics and subscriptions: the one place that knows their names, kinds, defaults and limits.

`SETTINGS` is that place; the administration API, Config.json, the control API and scenario files read it. `Queue`, `Topic` and
`Subscription` hold the values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Literal

from .settings import MAX_SECONDS

Unit = Literal["count", "seconds", "flag", "text"]
STATUSES = ("Active", "Disabled", "SendDisabled", "ReceiveDisabled")
MAX_SUBSCRIPTIONS = 2_000
"""How many subscriptions a topic has at most (S-73)."""
_A_MOMENT = 0.001
_ABSENT: Any = object()


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting. Durations are in seconds; None as a default is "none", or "for ever"."""

    name: str
    """In Python, in scenario files and in the control API."""
    official: str
    """In the administration API, and in Config.json where it has the setting."""
    unit: Unit
    default: Any
    least: float = 0
    most: float = 2**31 - 1
    administered: float | None = None
    """The most that the administration API takes, as the service does; files may say more."""
    switch: str | None = None
    """The official name of the flag that turns it on: without, its value is none."""
    config_default: Any = _ABSENT
    """Its default in Config.json, where that has the setting."""
    fixed: bool = False
    """Settled when an entity is made."""
    choices: tuple[str, ...] = ()

    @property
    def in_config(self) -> bool:
        """Whether Config.json has the setting."""
        return self.config_default is not _ABSENT


def _seconds(name: str, official: str, default: float | None, least: float = _A_MOMENT, **more: Any) -> Setting:
    return Setting(name, official, "seconds", default, least, MAX_SECONDS, **more)


SETTINGS: dict[str, Setting] = {
    setting.name: setting
    for setting in (
        Setting("max_delivery_count", "MaxDeliveryCount", "count", 10, 1, config_default=3),
        _seconds("lock_duration", "LockDuration", 60.0, administered=300.0, config_default=60.0),
        _seconds(
            "duplicate_detection_window",
            "DuplicateDetectionHistoryTimeWindow",
            None,
            administered=7 * 86_400.0,
            switch="RequiresDuplicateDetection",
            config_default=20.0,
            fixed=True,
        ),
        _seconds("default_time_to_live", "DefaultMessageTimeToLive", None, config_default=3_600.0),
        Setting(
            "dead_lettering_on_expiration", "DeadLetteringOnMessageExpiration", "flag", False, config_default=False
        ),
        Setting(
            "dead_lettering_on_filter_evaluation_exceptions", "DeadLetteringOnFilterEvaluationExceptions", "flag", True
        ),
        Setting("requires_session", "RequiresSession", "flag", False, config_default=False, fixed=True),
        Setting("max_size_in_megabytes", "MaxSizeInMegabytes", "count", 1_024, 1),
        Setting("max_message_size_in_kilobytes", "MaxMessageSizeInKilobytes", "count", 256, 1),
        Setting("forward_to", "ForwardTo", "text", None, config_default=None),
        Setting(
            "forward_dead_lettered_messages_to", "ForwardDeadLetteredMessagesTo", "text", None, config_default=None
        ),
        _seconds("auto_delete_on_idle", "AutoDeleteOnIdle", None, 300.0),
        Setting("partitioned", "EnablePartitioning", "flag", False, fixed=True),
        Setting("status", "Status", "text", "Active", choices=STATUSES),
    )
}


def _default(name: str) -> Any:
    return SETTINGS[name].default


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue's settings; durations in seconds, None for "none" (S-49, S-50, S-57)."""

    max_delivery_count: int = _default("max_delivery_count")
    lock_duration: float = _default("lock_duration")
    duplicate_detection_window: float | None = _default("duplicate_detection_window")
    default_time_to_live: float | None = _default("default_time_to_live")
    dead_lettering_on_expiration: bool = _default("dead_lettering_on_expiration")
    requires_session: bool = _default("requires_session")
    max_size_in_megabytes: int = _default("max_size_in_megabytes")
    max_message_size_in_kilobytes: int = _default("max_message_size_in_kilobytes")
    forward_to: str | None = _default("forward_to")
    forward_dead_lettered_messages_to: str | None = _default("forward_dead_lettered_messages_to")
    auto_delete_on_idle: float | None = _default("auto_delete_on_idle")
    partitioned: bool = _default("partitioned")
    status: str = _default("status")


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of a subscription: one filter and perhaps an action (S-69 to S-72).

    `sql` is an expression with its `parameters`; `correlation` has some of correlation_id, message_id, to, reply_to,
    subject, session_id, reply_to_session_id, content_type and properties (a map); `matches` True or False is for every
    message or none. `action` is SQL: SET and REMOVE.
    """

    sql: str | None = None
    correlation: Mapping[str, Any] | None = None
    matches: bool | None = None
    action: str | None = None
    parameters: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscription's settings; durations in seconds. `rules` None is the one rule $Default, for every message (S-69)."""

    partitioned: ClassVar[bool] = False
    duplicate_detection_window: ClassVar[float | None] = None
    max_size_in_megabytes: ClassVar[int] = 1 << 20
    max_message_size_in_kilobytes: ClassVar[int] = 1 << 20

    max_delivery_count: int = _default("max_delivery_count")
    lock_duration: float = _default("lock_duration")
    default_time_to_live: float | None = _default("default_time_to_live")
    dead_lettering_on_expiration: bool = _default("dead_lettering_on_expiration")
    dead_lettering_on_filter_evaluation_exceptions: bool = _default("dead_lettering_on_filter_evaluation_exceptions")
    requires_session: bool = _default("requires_session")
    forward_to: str | None = _default("forward_to")
    forward_dead_lettered_messages_to: str | None = _default("forward_dead_lettered_messages_to")
    auto_delete_on_idle: float | None = _default("auto_delete_on_idle")
    status: str = _default("status")
    rules: Mapping[str, Rule] | None = None


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic's settings and its subscriptions by name; durations in seconds, None for "none"."""

    max_delivery_count: ClassVar[int] = 10
    lock_duration: ClassVar[float] = 60.0
    dead_lettering_on_expiration: ClassVar[bool] = False
    requires_session: ClassVar[bool] = False
    forward_to: ClassVar[str | None] = None
    forward_dead_lettered_messages_to: ClassVar[str | None] = None

    subscriptions: Mapping[str, Subscription] = field(default_factory=dict)
    duplicate_detection_window: float | None = _default("duplicate_detection_window")
    default_time_to_live: float | None = _default("default_time_to_live")
    max_size_in_megabytes: int = _default("max_size_in_megabytes")
    max_message_size_in_kilobytes: int = _default("max_message_size_in_kilobytes")
    auto_delete_on_idle: float | None = _default("auto_delete_on_idle")
    partitioned: bool = _default("partitioned")
    status: str = _default("status")


EntitySettings = Queue | Topic | Subscription


_SETTINGS_OF: dict[type[EntitySettings], tuple[Setting, ...]] = {
    kind: tuple(SETTINGS[each.name] for each in fields(kind) if each.name in SETTINGS)
    for kind in (Queue, Topic, Subscription)
}


def settings_of(kind: type[EntitySettings]) -> tuple[Setting, ...]:
    """Return the settings that entities of a kind have."""
    return _SETTINGS_OF[kind]


def out_of_range(setting: Setting, value: Any) -> str | None:
    """Return what is expected of a value that is not allowed, in words; None when all is well."""
    if setting.choices and value not in setting.choices:
        return f"one of {', '.join(setting.choices)}"
    if setting.unit not in ("count", "seconds") or value is None:
        return None
    if value < setting.least:
        return f"{setting.least:g} or more"
    return None if value <= setting.most else f"at most {setting.most:g}"  # NaN is neither
