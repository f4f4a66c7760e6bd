"""Reads the objects of the official emulator's Config.json."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from peeklock.servicebus.settings import TopologyError

_DURATION = re.compile(
    r"P(?!$)(?:(?P<years>\d+)Y)?(?:(?P<months>\d+)M)?(?:(?P<days>\d+)D)?(?:T(?=\d)(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?"
)
_CHILDREN = {"topic": ("Subscriptions",), "subscription": ("Rules",)}
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
