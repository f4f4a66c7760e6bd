"""Reads the objects of the official emulator's Config.json."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from typing import Any

from peeklock.durations import parse_iso
from peeklock.servicebus.entity_settings import EntitySettings, Setting, settings_of
from peeklock.servicebus.settings import MAX_SECONDS, TopologyError

_DAYS_BEHIND_T = re.compile(r"PT(\d+)([YWD])(.*)")
_CHILDREN = {"topic": ("Subscriptions",), "subscription": ("Rules",)}
Warn = Callable[[str], None]


class ConfigReader:
    """Checks kinds, and says where in which file something is wrong. `warn` gets what is passed over, as the official emulator
    passes it over."""

    def __init__(self, origin: str, warn: Warn) -> None:
        self._origin = origin
        self._warn = warn

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
        """Yield name, object and path of the entries of a list, which may be null; each needs a name of its own."""
        seen: set[str] = set()
        items = parent.get(key)
        for index, item in enumerate([] if items is None else self.list(items, f"{where}.{key}")):
            at = f"{where}.{key}[{index}]"
            entry = self.object(item, at)
            self.known(entry, ("Name", "Properties", *_CHILDREN.get(kind, ())), at)
            name = entry.get("Name")
            if not isinstance(name, str) or not name:
                raise self.error(f"{at}.Name", f"the {kind}'s name", repr(name), f'add "Name": "my-{kind}"')
            if name.lower() in seen:
                raise self.error(f"{at}.Name", "a name of its own", repr(name), f"rename one of the two {kind}s")
            seen.add(name.lower())
            yield name, entry, at

    def properties(self, entry: dict[str, Any], where: str) -> dict[str, Any]:
        given = entry.get("Properties")
        return {} if given is None else self.object(given, f"{where}.Properties")

    def known(self, values: dict[str, Any], names: Collection[str], where: str) -> None:
        """Warn of names that are none of those known: they are passed over."""
        for key in values:
            if key not in names:
                known = ", ".join(sorted(names))
                self._warn(f"{self._origin}: {where}.{key} is not known, and is passed over; known: {known}")

    def settings(self, kind: type[EntitySettings], properties: dict[str, Any], where: str) -> dict[str, Any]:
        """Read the settings of an entity of a kind; what is absent or null has the official emulator's default."""
        settings = [setting for setting in settings_of(kind) if setting.in_config]
        names = [name for setting in settings for name in (setting.official, setting.switch) if name is not None]
        self.known(properties, names, where)
        return {setting.name: self._setting(setting, properties, where) for setting in settings}

    def _setting(self, setting: Setting, values: dict[str, Any], where: str) -> Any:
        value = setting.config_default
        if values.get(setting.official) is not None:
            value = self._value(setting, values, where)
        if setting.switch is None:
            return value
        return value if values.get(setting.switch) is not None and self.flag(values, setting.switch, where) else None

    def _value(self, setting: Setting, values: dict[str, Any], where: str) -> Any:
        match setting.unit:
            case "count":
                return self.count(values, setting.official, where)
            case "seconds":
                return self.duration(values, setting.official, where)
            case "flag":
                return self.flag(values, setting.official, where)
            case "text":
                return self.text(values, setting.official, where) or None  # "" is none

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

    def flag(self, values: dict[str, Any], key: str, where: str) -> bool:
        if not isinstance(values[key], bool):
            raise self.error(f"{where}.{key}", "true or false", repr(values[key]), "write true or false, no quotes")
        return bool(values[key])

    def duration(self, values: dict[str, Any], key: str, where: str) -> float:
        text = values[key]
        seconds = (parse_iso(text) if isinstance(text, str) else None) or 0.0
        if seconds <= 0:
            fix = 'write "PT1M" for a minute'
            if isinstance(text, str) and (behind := _DAYS_BEHIND_T.fullmatch(text)) is not None:
                number, unit, rest = behind.groups()
                meant = f"P{int(number) * 7}D" if unit == "W" else f"P{number}{unit}"
                fix = f'write "{meant}{"T" + rest if rest else ""}": years, months and days stand before the T'
            raise self.error(f"{where}.{key}", "an ISO 8601 duration above zero", repr(text), fix)
        # What exports say for "for ever", P10675199DT2H48M5.4775807S, is a little more than there can be.
        return MAX_SECONDS if int(min(seconds, 2 * MAX_SECONDS)) == MAX_SECONDS else seconds
