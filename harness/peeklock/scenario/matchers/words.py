"""Matchers without arguments: `$any`, `$null`, `$uuid` …"""

from __future__ import annotations

import base64
import binascii
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from peeklock.scenario.matchers.base import ABSENT, Context, DataPath, Matcher, Mismatch, show


@dataclass(frozen=True, slots=True)
class AbsentWord:
    """The key is not there."""

    source: DataPath

    def match(self, actual: Any, context: Context, at: str) -> list[Mismatch]:
        return [] if actual is ABSENT else [Mismatch(at, "absent", show(actual), self.source)]

    def describe(self, context: Context) -> str:
        return "absent"


@dataclass(frozen=True, slots=True)
class Word:
    """A present value that passes a test."""

    name: str
    test: Callable[[Any], bool]
    source: DataPath

    def match(self, actual: Any, context: Context, at: str) -> list[Mismatch]:
        if actual is not ABSENT and self.test(actual):
            return []
        return [Mismatch(at, self.describe(context), show(actual), self.source)]

    def describe(self, context: Context) -> str:
        return self.name


def parse_timestamp(value: Any) -> datetime | None:
    """Return an ISO 8601 timestamp as an aware datetime, or None."""
    if not isinstance(value, str) or len(value) < 10:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment.astimezone() if moment.tzinfo is None else moment


def _is_uuid(value: Any) -> bool:
    try:
        return isinstance(value, str) and str(uuid.UUID(value)) == value.lower()
    except ValueError:
        return False


def _is_url(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    return bool(parts.scheme and parts.netloc)


def _is_base64(value: Any) -> bool:
    if not isinstance(value, str) or not value:
        return False
    try:
        base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


WORDS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "$any": ("any value", lambda _: True),
    "$null": ("null", lambda value: value is None),
    "$string": ("a string", lambda value: isinstance(value, str)),
    "$int": ("an integer", lambda value: isinstance(value, int) and not isinstance(value, bool)),
    "$number": ("a number", lambda value: isinstance(value, int | float) and not isinstance(value, bool)),
    "$bool": ("true or false", lambda value: isinstance(value, bool)),
    "$uuid": ("a UUID", _is_uuid),
    "$timestamp": ("an ISO 8601 timestamp", lambda value: parse_timestamp(value) is not None),
    "$url": ("a URL", _is_url),
    "$base64": ("base64 text", _is_base64),
}


def word(name: str, source: DataPath) -> Matcher | None:
    """Return the matcher of a word, or None when there is no such word."""
    if name == "$absent":
        return AbsentWord(source)
    if name in WORDS:
        return Word(*WORDS[name], source)
    return None
