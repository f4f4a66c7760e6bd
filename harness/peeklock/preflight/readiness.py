"""What services say of themselves at their readiness endpoints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from peeklock.preflight import sameness
from peeklock.preflight.findings import Finding, Report, merged
from peeklock.preflight.sameness import Reached

_PLACES = {"database": "databases", "namespace": "namespaces", "account": "accounts"}
_FINE = frozenset({"ok", "up", "ready", "healthy", "pass", "true", "connected"})


@dataclass(frozen=True, slots=True)
class Answer:
    """What one service answered."""

    service: str
    path: str
    where: str
    status: int
    """0: none at all."""
    body: Any


def judge(answers: Sequence[Answer]) -> Report:
    """Judge answers: one that is not 2xx with what it names, and places that two services tell of and that differ."""
    found = [finding for each in answers for finding in _not_ready(each)]
    checked = tuple(f"{each.service} answers {each.path}" for each in answers)
    told = [place for each in answers for place in _places(each)]
    return merged(
        [
            Report(tuple(found), checked),
            *(
                sameness.judge(kind, plural, [each for each in told if each.by.endswith(kind)])
                for kind, plural in _PLACES.items()
            ),
        ]
    )


def _not_ready(answer: Answer) -> Iterator[Finding]:
    if 200 <= answer.status < 300:
        return
    wrong = [f"{name}: {text}" for name, text in _texts(answer.body) if text.lower() not in _FINE]
    status = f"status {answer.status}" if answer.status else "no answer"
    yield Finding(
        "not-ready",
        f"{answer.service} says that it is not ready",
        answer.where,
        expected=f"a 2xx answer to GET {answer.path}",
        actual="; ".join([status, *wrong]),
        fix="see what it names, and the service's log",
    )


def _texts(body: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield texts of a JSON document with the names that they stand under; a sole `status` says nothing by itself."""
    if isinstance(body, Mapping):
        for key, value in body.items():
            yield from _texts(value, str(key))
    elif isinstance(body, list):
        for value in body:
            yield from _texts(value, name)
    elif isinstance(body, str) and name not in ("status", "service", ""):
        yield name, body


def _places(answer: Answer) -> Iterator[Reached]:
    for name, text in _texts(answer.body):
        if name.lower() in _PLACES and text.lower() not in _FINE:
            by = f"{answer.path} {name.lower()}"
            yield Reached(answer.service, by, answer.where, text.lower(), text)
