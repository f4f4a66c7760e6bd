"""What differs between undisturbed runs, found by comparing them: ids, times, and what the user says.

A field whose values are the same in every undisturbed run is compared as it is. In one that differs, ids are known by where they
stand: what a value is called does not matter, in which rows, messages and blobs it stands together does. What is left of times,
latencies and random numbers is not compared.
"""

from __future__ import annotations

import fnmatch
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from peeklock.engine.snapshot import Fact

ROUNDS = 3
"""How far away an id still tells of what stands around it."""
_TOKEN = re.compile(
    r"(?P<uuid>[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12})"
    r"|(?P<time>\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?|\b\d{10,}(?:\.\d+)?\b)"
    r"|[0-9a-fA-F]{8,}|[A-Za-z0-9_-]{22,}"
)
"""What in a text is likely to be an id, or a time."""
_LONGEST_ID = 120
HIDDEN = "~"
"""Stands for what is not compared."""

Record = tuple[tuple[str, str], ...]
"""The fields of one fact with their values, sorted; values are as JSON, ids as colours or `<id>`."""


@dataclass(frozen=True)
class Canonical:
    """One fact without noise."""

    place: str
    record: Record
    at_least_once: bool = False


class Noise:
    """Learned from undisturbed ends; `ignore`: `place` or `place.field`, with `*`, as users write it."""

    def __init__(self, ends: Sequence[Sequence[Fact]], ignore: Iterable[str] = ()) -> None:
        self._ignored = tuple(ignore)
        self._differing = self._differences(ends)
        self._hidden: frozenset[tuple[str, str]] = frozenset()
        self._hidden = self._what_still_differs(ends)

    def clean(self, end: Sequence[Fact], *, ids: bool = True) -> Counter[Canonical]:
        """Return the facts of an end without noise, each with how often there are such; `ids`: tell ids apart by where they stand."""
        flat = [(fact, self._fields(fact)) for fact in end if not self._is_ignored(fact.place)]
        colours = self._colours(flat) if ids else {}
        found: Counter[Canonical] = Counter()
        for fact, fields in flat:
            record = tuple(sorted((path, self._shown(fact.place, path, value, colours)) for path, value in fields))
            found[Canonical(fact.place, record, fact.at_least_once)] += 1
        return Counter({each: 1 if each.at_least_once else count for each, count in found.items()})

    def _fields(self, fact: Fact) -> list[tuple[str, Any]]:
        return [(path, value) for path, value in flatten(fact.value) if not self._is_ignored(f"{fact.place}.{path}")]

    def _is_ignored(self, name: str) -> bool:
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in self._ignored)

    def _differences(self, ends: Sequence[Sequence[Fact]]) -> frozenset[tuple[str, str]]:
        """Return the fields whose values are not the same in every end."""
        seen = [
            _values(((fact.place, path), _json(value)) for fact in end for path, value in self._fields(fact))
            for end in ends
        ]
        keys = {key for each in seen for key in each}
        return frozenset(key for key in keys if any(each.get(key) != seen[0].get(key) for each in seen))

    def _what_still_differs(self, ends: Sequence[Sequence[Fact]]) -> frozenset[tuple[str, str]]:
        """Return the fields that differ though ids have no names and times are left out."""
        seen = [
            _values(
                ((each.place, path), value)
                for each, count in self.clean(end, ids=False).items()
                for path, value in each.record
                for _ in range(count)
            )
            for end in ends
        ]
        return frozenset(key for key in self._differing if any(each.get(key) != seen[0].get(key) for each in seen))

    def _shown(self, place: str, path: str, value: Any, colours: Mapping[str, str]) -> str:
        if (place, path) not in self._differing or value is None or isinstance(value, bool):
            return _json(value)
        if not isinstance(value, str):
            return HIDDEN
        if (place, path) in self._hidden:
            return colours.get(value, "<id>") if _is_id(value) else HIDDEN
        shown = _TOKEN.sub(lambda found: HIDDEN if found["time"] else colours.get(found[0], "<id>"), value)
        return shown if shown == HIDDEN else _json(shown)

    def _ids(self, place: str, path: str, value: Any) -> Iterator[str]:
        if (place, path) not in self._differing or not isinstance(value, str):
            return
        if (place, path) not in self._hidden:
            yield from (found[0] for found in _TOKEN.finditer(value) if not found["time"])
        elif _is_id(value):
            yield value

    def _colours(self, flat: Sequence[tuple[Fact, list[tuple[str, Any]]]]) -> dict[str, str]:
        """Return what each id is known by: the places in which it stands, and what stands there with it."""
        colours: dict[str, str] = {}
        for _ in range(ROUNDS):
            around: dict[str, set[tuple[str, str, Record]]] = defaultdict(set)
            for fact, fields in flat:
                record = tuple(sorted((path, self._shown(fact.place, path, value, colours)) for path, value in fields))
                for path, value in fields:
                    for each in self._ids(fact.place, path, value):
                        around[each].add((fact.place, path, record))
            colours = {each: f"<id {hash(frozenset(places)):x}>" for each, places in around.items()}
        return colours


def _is_id(value: str) -> bool:
    """Tell whether a whole value may be an id."""
    times = any(found["time"] for found in _TOKEN.finditer(value))
    return len(value) <= _LONGEST_ID and " " not in value and not times


def flatten(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the scalars inside a value as JSON has them, each with its path; what is empty stands for itself."""
    if isinstance(value, Mapping) and value:
        for key, child in value.items():
            yield from flatten(child, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and value:
        for child in value:
            yield from flatten(child, f"{path}[]")
    else:
        yield path, value


def _values(pairs: Iterable[tuple[tuple[str, str], str]]) -> dict[tuple[str, str], Counter[str]]:
    found: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for key, value in pairs:
        found[key][value] += 1
    return found


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
