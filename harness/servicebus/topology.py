"""What stands in a namespace: queues and the rules that give access to them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

DEFAULT_RULE = "RootManageSharedAccessKey"
DEFAULT_KEY = "SAS_KEY_VALUE"
RIGHTS = ("Manage", "Send", "Listen")
_ENTITY_NAME = re.compile(r"[A-Za-z0-9]|[A-Za-z0-9][\w\-./]*[A-Za-z0-9]")


class TopologyError(ValueError):
    """A topology that cannot be: says where, what was found and how to fix it."""

    def __init__(self, problem: str, fix: str = "") -> None:
        super().__init__(f"{problem}\n  fix: {fix}" if fix else problem)
        self.problem = problem
        self.fix = fix


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue's settings; durations in seconds, None for "none" (S-49, S-50, S-57)."""

    max_delivery_count: int = 10
    lock_duration: float = 60.0
    duplicate_detection_window: float | None = None
    default_time_to_live: float | None = None
    dead_lettering_on_expiration: bool = False
    requires_session: bool = False
    max_size_in_megabytes: int = 1024
    max_message_size_in_kilobytes: int = 256


@dataclass(frozen=True, slots=True)
class AccessRule:
    """A shared access rule: `rights` out of Manage, Send, Listen; `entity` None gives them on the whole namespace."""

    name: str = DEFAULT_RULE
    key: str = DEFAULT_KEY
    rights: tuple[str, ...] = RIGHTS
    entity: str | None = None

    def __repr__(self) -> str:
        return f"AccessRule(name={self.name!r}, rights={self.rights!r}, entity={self.entity!r})"


@dataclass(frozen=True, slots=True)
class Topology:
    """Queues by name, access rules (the root rule of the official emulator when none is given), and a port (0: free)."""

    queues: Mapping[str, Queue] = field(default_factory=dict)
    access_rules: tuple[AccessRule, ...] = (AccessRule(),)
    port: int = 0

    def __post_init__(self) -> None:
        check(self)

    @classmethod
    def from_json(cls, body: Any) -> Topology:
        """Read the control API's topology. Raises `TopologyError` with the path of what is wrong."""
        document = _object(body, "the topology")
        _known(document, ("queues", "access_rules", "port"), "the topology")
        for absent in ("topics",):
            if absent in document:
                raise TopologyError(f"{absent}: not supported yet", "use queues")
        queues = {
            str(name): _settings(Queue, settings, f"queues.{name}")
            for name, settings in _object(document.get("queues", {}), "queues").items()
        }
        rules = document.get("access_rules")
        if rules is not None and not isinstance(rules, list):
            raise TopologyError(f"access_rules: expected a list, got {type(rules).__name__}", "write [{...}]")
        port = _typed(document.get("port", 0), "int", "port")
        if rules is None:
            return cls(queues=queues, port=port)
        built = []
        for index, rule in enumerate(rules):
            values = dict(_object(rule, f"access_rules[{index}]"))
            rights = values.get("rights", list(RIGHTS))
            if not isinstance(rights, list) or not all(isinstance(right, str) for right in rights):
                raise TopologyError(f"access_rules[{index}].rights: expected a list of names", f"use {list(RIGHTS)}")
            values["rights"] = tuple(rights)
            built.append(_settings(AccessRule, values, f"access_rules[{index}]"))
        return cls(queues=queues, access_rules=tuple(built), port=port)


def check(topology: Topology) -> None:
    """Raise `TopologyError` for names and numbers that Service Bus would refuse, and for what is not built yet."""
    for name, queue in topology.queues.items():
        if not _ENTITY_NAME.fullmatch(name) or len(name) > 260:
            raise TopologyError(
                f"queue {name!r}: the name is not allowed",
                "use letters, digits, '-', '_', '.' and '/', at most 260, with a letter or digit at both ends",
            )
        if queue.requires_session:
            raise TopologyError(
                f"queue {name!r}: requires_session is not supported yet: sessions come with a later release",
                "leave requires_session out",
            )
        for label, value, least in (
            ("max_delivery_count", queue.max_delivery_count, 1),
            ("lock_duration", queue.lock_duration, 0.001),
            ("duplicate_detection_window", queue.duplicate_detection_window, 0.001),
            ("default_time_to_live", queue.default_time_to_live, 0.001),
            ("max_size_in_megabytes", queue.max_size_in_megabytes, 1),
            ("max_message_size_in_kilobytes", queue.max_message_size_in_kilobytes, 1),
        ):
            if value is not None and value < least:
                raise TopologyError(f"queue {name!r}: {label} is {value}, expected {least} or more", "give it more")
    lowered = [name.lower() for name in topology.queues]
    for name in lowered:
        if lowered.count(name) > 1:
            raise TopologyError(f"queue {name!r} is there twice: names are case-insensitive", "rename one of them")
    for rule in topology.access_rules:
        if not rule.name or not rule.key:
            raise TopologyError("an access rule has no name or no key", "give both")
        unknown = [right for right in rule.rights if right not in RIGHTS]
        if unknown or not rule.rights:
            raise TopologyError(f"access rule {rule.name!r}: rights {list(rule.rights)}", f"use some of {list(RIGHTS)}")
        if rule.entity is not None and rule.entity.lower() not in lowered:
            raise TopologyError(f"access rule {rule.name!r}: there is no queue {rule.entity!r}", "name a queue")


def _object(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise TopologyError(f"{where}: expected an object, got {type(value).__name__}", "write {...}")
    return value


def _known(document: Mapping[str, Any], names: Iterable[str], where: str) -> None:
    allowed = list(names)
    for key in document:
        if key not in allowed and key != "topics":
            raise TopologyError(f"{where}: {key!r} is not a known setting", f"known: {', '.join(allowed)}")


def _typed(value: Any, annotation: str, where: str) -> Any:
    """Check one JSON value against the annotation of its field."""
    if value is None and "None" in annotation:
        return None
    kinds: tuple[type, ...] = {"int": (int,), "float": (int, float), "bool": (bool,), "str": (str,)}.get(
        annotation.split(" ")[0], (tuple,)
    )
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        shown = "the value of a key" if where.endswith(".key") else repr(value)
        raise TopologyError(f"{where}: expected {annotation}, got {shown}", f"give a {annotation.split(' ')[0]}")
    return float(str(value)) if annotation.startswith("float") else value


def _settings(kind: type[Any], settings: Any, where: str) -> Any:
    document = _object(settings, where)
    annotations = {item.name: str(item.type) for item in fields(kind)}
    _known(document, annotations, where)
    return kind(**{name: _typed(value, annotations[name], f"{where}.{name}") for name, value in document.items()})
