"""The official emulator's Config.json, with its // comments (part C of the design page)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .auth import AccessRule
from .settings import TopologyError
from .topology import Queue, Topic, Topology

_COMMENT = re.compile(r'"(?:\\.|[^"\\])*"|//[^\n]*|/\*.*?\*/', re.DOTALL)
_DURATION = re.compile(
    r"P(?!$)(?:(?P<years>\d+)Y)?(?:(?P<months>\d+)M)?(?:(?P<days>\d+)D)?(?:T(?=\d)(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?"
)
_CHILDREN = {"topic": ("Subscriptions",), "subscription": ("Rules",)}
DEFAULT_NAMESPACE = "sbemulatorns"
QUEUE_DEFAULTS: dict[str, Any] = {
    "DeadLetteringOnMessageExpiration": False,
    "DefaultMessageTimeToLive": "PT1H",
    "DuplicateDetectionHistoryTimeWindow": "PT20S",
    "ForwardDeadLetteredMessagesTo": "",
    "ForwardTo": "",
    "LockDuration": "PT1M",
    "MaxDeliveryCount": 3,
    "RequiresDuplicateDetection": False,
    "RequiresSession": False,
}


def read_config(path: str, *, port: int = 5672) -> Topology:
    """Read a Config.json. Raises `TopologyError` that names the file and the path inside it, what was expected, what
    was found and how to fix it."""
    return parse_config(read_text(path), path, port=port)


def read_text(path: str) -> str:
    """Return the text of a configuration file. Raises `TopologyError`."""
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise TopologyError(f"{path}: cannot be read: {error.strerror}", "give the path of a Config.json") from None
    except UnicodeDecodeError:
        raise TopologyError(f"{path}: is not UTF-8", "save it as UTF-8") from None


def parse_config(text: str, origin: str = "Config.json", *, port: int = 5672) -> Topology:
    """Parse the text of a Config.json; see `read_config`."""
    return read_official(parse_json(text, origin), origin, port=port)[1]


def parse_json(text: str, origin: str) -> Any:
    """Parse JSON with // and /* */ comments. Raises `TopologyError`."""
    try:
        return json.loads(_COMMENT.sub(_blank, text))
    except json.JSONDecodeError as error:
        raise TopologyError(
            f"{origin}:{error.lineno}:{error.colno}: is not JSON: {error.msg}",
            "check commas and quotes on that line; // comments are fine",
        ) from None


def read_official(document: Any, origin: str, *, port: int = 5672) -> tuple[str, Topology]:
    """Return the name and the topology of the namespace in a Config.json; see `read_config`."""
    reader = ConfigReader(origin)
    user = reader.object(reader.object(document, "$").get("UserConfig"), "UserConfig")
    reader.known(user, {"Namespaces": None, "Logging": None}, "UserConfig")
    namespaces = reader.list(user.get("Namespaces"), "UserConfig.Namespaces")
    if len(namespaces) != 1:
        raise reader.error(
            "UserConfig.Namespaces",
            "exactly one namespace",
            f"{len(namespaces)}",
            "keep one, or use Peeklock's own format",
        )
    where = "UserConfig.Namespaces[0]"
    namespace = reader.object(namespaces[0], where)
    reader.known(namespace, {"Name": None, "Queues": None, "Topics": None}, where)
    name = reader.text({"Name": DEFAULT_NAMESPACE, **namespace}, "Name", where)
    queues = {
        queue: _queue(reader, reader.properties(entry, at), f"{at}.Properties")
        for queue, entry, at in reader.named(namespace, "Queues", where, "queue")
    }
    topics: dict[str, Topic] = {}
    if namespace.get("Topics"):
        from .config_topics import read_topics

        topics = read_topics(reader, namespace, where)
    try:
        return name, Topology(queues=queues, topics=topics, access_rules=(AccessRule(),), port=port)
    except TopologyError as error:
        raise TopologyError(f"{origin}: {error.problem}", error.fix) from None


def _queue(reader: ConfigReader, properties: dict[str, Any], where: str) -> Queue:
    values = reader.known(properties, QUEUE_DEFAULTS, where)
    window = reader.duration(values, "DuplicateDetectionHistoryTimeWindow", where)
    return Queue(
        max_delivery_count=reader.count(values, "MaxDeliveryCount", where),
        lock_duration=reader.duration(values, "LockDuration", where),
        duplicate_detection_window=window if reader.flag(values, "RequiresDuplicateDetection", where) else None,
        default_time_to_live=reader.duration(values, "DefaultMessageTimeToLive", where),
        dead_lettering_on_expiration=reader.flag(values, "DeadLetteringOnMessageExpiration", where),
        forward_to=reader.target(values, "ForwardTo", where),
        forward_dead_lettered_messages_to=reader.target(values, "ForwardDeadLetteredMessagesTo", where),
        requires_session=reader.flag(values, "RequiresSession", where),
    )


class ConfigReader:
    """Checks kinds, and says where in which file something is wrong."""

    def __init__(self, origin: str) -> None:
        self._origin = origin

    def error(self, where: str, expected: str, actual: str, fix: str) -> TopologyError:
        return TopologyError(f"{self._origin}: {where}\n  expected: {expected}\n  actual: {actual}", fix)

    def object(self, value: Any, where: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self.error(where, "an object", "nothing" if value is None else repr(value), "write { ... }")
        return value

    def list(self, value: Any, where: str) -> list[Any]:
        if not isinstance(value, list):
            raise self.error(where, "a list", "nothing" if value is None else repr(value), "write [ ... ]")
        return value

    def named(
        self, parent: dict[str, Any], key: str, where: str, kind: str
    ) -> Iterator[tuple[str, dict[str, Any], str]]:
        """Yield name, object and path of the entries of a list; each needs a name of its own."""
        seen: set[str] = set()
        for index, item in enumerate(self.list(parent.get(key, []), f"{where}.{key}")):
            at = f"{where}.{key}[{index}]"
            entry = self.object(item, at)
            self.known(entry, {"Name": None, "Properties": None, **dict.fromkeys(_CHILDREN.get(kind, ()))}, at)
            name = entry.get("Name")
            if not isinstance(name, str) or not name:
                raise self.error(f"{at}.Name", f"the {kind}'s name", repr(name), f'add "Name": "my-{kind}"')
            if name.lower() in seen:
                raise self.error(f"{at}.Name", "a name of its own", repr(name), f"rename one of the two {kind}s")
            seen.add(name.lower())
            yield name, entry, at

    def properties(self, entry: dict[str, Any], where: str) -> dict[str, Any]:
        return self.object(entry.get("Properties", {}), f"{where}.Properties")

    def known(self, values: dict[str, Any], defaults: dict[str, Any], where: str) -> dict[str, Any]:
        """Return the values on top of the defaults; refuse others."""
        for key in values:
            if key not in defaults:
                raise self.error(
                    f"{where}.{key}", "a known property", repr(key), f"known: {', '.join(sorted(defaults))}"
                )
        return {**defaults, **values}

    def count(self, values: dict[str, Any], key: str, where: str) -> int:
        count = values[key]
        if not isinstance(count, int) or isinstance(count, bool) or count < 1:
            raise self.error(f"{where}.{key}", "a whole number from 1 on", repr(count), "use 3")
        return count

    def text(self, values: dict[str, Any], key: str, where: str) -> str:
        if not isinstance(values.get(key), str):
            actual = repr(values[key]) if key in values else "nothing"
            raise self.error(f"{where}.{key}", "text", actual, "write it in quotes")
        return str(values[key])

    def target(self, values: dict[str, Any], key: str, where: str) -> str | None:
        """Read the name of an entity to forward to; "" is none."""
        return self.text(values, key, where) or None

    def flag(self, values: dict[str, Any], key: str, where: str) -> bool:
        if not isinstance(values[key], bool):
            raise self.error(f"{where}.{key}", "true or false", repr(values[key]), "write true or false, no quotes")
        return bool(values[key])

    def duration(self, values: dict[str, Any], key: str, where: str) -> float:
        text = values[key]
        match = _DURATION.fullmatch(text) if isinstance(text, str) else None
        seconds = 0.0
        if match is not None:
            parts = {name: float(part) for name, part in match.groupdict().items() if part}
            seconds = (
                (parts.get("years", 0) * 365 + parts.get("months", 0) * 30 + parts.get("days", 0)) * 86_400
                + parts.get("hours", 0) * 3600
                + parts.get("minutes", 0) * 60
            ) + parts.get("seconds", 0)
        if seconds <= 0:
            raise self.error(
                f"{where}.{key}", "an ISO 8601 duration above zero", repr(text), 'write "PT1M" for a minute'
            )
        return seconds


def _blank(match: re.Match[str]) -> str:
    """Keep strings; replace comments by blanks, so that positions in error messages stay right."""
    text = match.group()
    return text if text.startswith('"') else re.sub(r"[^\n]", " ", text)
