"""A case of a run that has been, read from the run's folder."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from peeklock.engine.events import CaseFinished, Durations
from peeklock.engine.failure import Failure, Moment
from peeklock.engine.timeline import timeline
from peeklock.errors import PeeklockError
from peeklock.reports.html.case_data import unpacked
from peeklock.reports.html.record import read_heads, read_stories
from peeklock.scenario.matchers import Mismatch
from peeklock.servicebus.ledger import AboutEntity, AboutMessage, AboutSession, Entry, EventKind, Subject
from peeklock.stack.backend import Exit, LogLine

FORMAT = 1
"""Of what `as_json` returns. New keys do not change it, other meanings of old ones do."""
_MOST_NAMED = 5
_LONGEST_STORY = 256 << 20
"""Bytes of an unpacked story: far more than is ever written, and less than a bomb."""


@dataclass(frozen=True)
class StoredCase:
    """One case as its run has kept it: secrets masked, long texts cut, times in milliseconds since it began."""

    run: str
    head: Mapping[str, Any]
    """What the list of cases shows of it."""
    story: Mapping[str, Any]
    """Everything else; empty for a case that was skipped, or left out of a long record."""

    @property
    def id(self) -> str:
        """`file.yaml::case`."""
        return _id(self.head)

    @property
    def finished(self) -> CaseFinished:
        """The event with which it ended, as far as it is kept."""
        ended = self.story.get("started", 0.0) + self.story.get("ended", 0.0) / 1000
        return CaseFinished(
            self.head.get("at", ended),
            self.id,
            self.head["outcome"],
            Durations(*self.head["seconds"]),
            reason=self.story.get("reason", ""),
            failure=self._failure(),
            covers=tuple(self.head.get("covers", ())),
            tags=tuple(self.head.get("tags", ())),
            traceback=self.story.get("traceback", ""),
            repeat=self.head.get("repeat", 0),
        )

    def timeline(self) -> list[Moment]:
        """Return what happened in time order, of a case that passed as well."""
        failure = self._failure()
        if failure is not None:
            return list(failure.timeline)
        entries = [self._entry(entry) for entry in self.story.get("entries", ())]
        lines = [
            LogLine(service, replica, self._at(at), text, _record(text))
            for at, service, replica, text in self.story.get("lines", ())
        ]
        exits = [Exit(**{**each, "at": self._at(each["at"])}) for each in self.story.get("exits", ())]
        return timeline(self._moments(self.story.get("moments", ())), entries, lines, exits)

    def as_json(self) -> dict[str, Any]:
        """Return all of it as JSON data for tools."""
        head, story, failure = self.head, self.story, self.story.get("failure")
        setup, waiting, working = head["seconds"]
        return {
            "format": FORMAT,
            "run": self.run,
            "case": self.id,
            "repeat": head.get("repeat", 0),
            "outcome": head["outcome"],
            "seconds": {"setup": setup, "waiting": waiting, "working": working},
            "covers": head.get("covers", []),
            "tags": head.get("tags", []),
            "why": head.get("why", ""),
            "cause": (failure or {}).get("likely_cause", ""),
            "failure": failure and _failure_json(failure),
            "reason": story.get("reason", ""),
            "traceback": story.get("traceback", ""),
            "steps": [_without(step, "depth", "last_line") for step in story.get("steps", ())],
            "timeline": [
                {"ms": self._ms(each.at), "actor": each.actor, "text": each.text, "alarming": each.alarming}
                for each in self.timeline()
            ],
            "ledger": [_unpacked(entry) for entry in story.get("entries", ())],
            "log": [
                {"ms": at, "service": service, "replica": replica, "text": text}
                for at, service, replica, text in story.get("lines", ())
            ],
            "exits": [{"ms": each["at"], **_without(each, "at")} for each in story.get("exits", ())],
            "left_out": ["the whole story"] if head.get("left_out") else story.get("left", []),
        }

    def _failure(self) -> Failure | None:
        stored = self.story.get("failure")
        if stored is None:
            return None
        texts = {key: tuple(stored.get(key, ())) for key in ("excerpt", "notes", "also")}
        return Failure(
            stored["headline"],
            stored["step"],
            stored["where"],
            mismatches=tuple(Mismatch(path, expected, actual, ()) for path, expected, actual in stored["mismatches"]),
            actual=stored.get("actual", ""),
            timeline=tuple(self._moments(stored["timeline"])),
            started_at=self.story["started"],
            likely_cause=stored.get("likely_cause", ""),
            **texts,
        )

    def _moments(self, stored: Any) -> Iterator[Moment]:
        for at, actor, text, alarming in stored:
            yield Moment(self._at(at), actor, text, bool(alarming))

    def _entry(self, stored: Mapping[str, Any]) -> Entry:
        subject: Subject = AboutEntity()
        if "seq" in stored:
            subject = AboutMessage(stored["seq"], stored["id"], stored["delivery"])
        elif "session" in stored:
            subject = AboutSession(stored["session"])
        details = _record(stored.get("details", "")) or {}
        return Entry(
            stored["n"], self._at(stored["at"]), stored["entity"], EventKind(stored["event"]), subject, details
        )

    def _at(self, milliseconds: float) -> float:
        return float(self.story["started"]) + milliseconds / 1000

    def _ms(self, at: float) -> float:
        return round((at - float(self.story["started"])) * 1000, 1)


def find_case(folder: Path, name: str) -> StoredCase:
    """Return the case of a run by its name, `file::case` or a part that no other has; of several repetitions the last that did
    not pass, else the last. Raises `PeeklockError`."""
    heads = read_heads(folder).heads
    known = list(dict.fromkeys(map(_id, heads)))
    found = [each for each in known if each == name] or [each for each in known if each.partition("::")[2] == name]
    found = found or [each for each in known if name in each]
    if len(found) != 1:
        raise _unclear(folder, name, found, known)
    numbers = [number for number, head in enumerate(heads) if _id(head) == found[0]]
    bad = [number for number in numbers if heads[number]["outcome"] in ("failed", "error")]
    number = (bad or numbers)[-1]
    packed = next(islice(read_stories(folder), number, None), "")
    return StoredCase(folder.name, heads[number], story_of(packed, folder))


def _unclear(folder: Path, name: str, found: list[str], known: list[str]) -> PeeklockError:
    if found:
        problem, fix = (
            f"{len(found)} cases of {folder.name} have {name!r} in their name",
            "write more of it, or file::case",
        )
        listed = found
    else:
        problem, fix = f"no case of {folder.name} is called {name!r}", "name one of those, or another run with --run"
        short = {each.partition("::")[2]: each for each in known}
        listed = [
            short.get(near, near) for near in difflib.get_close_matches(name, [*short, *known], cutoff=0.5)
        ] or known
        if _begun(folder, name):
            fix = "it had begun and had not ended when the run did; what it had done is in events.ndjson"
    shown = ", ".join(listed[:_MOST_NAMED]) + (
        f" and {len(listed) - _MOST_NAMED} more" if len(listed) > _MOST_NAMED else ""
    )
    return PeeklockError(problem, expected=f"one of {shown}" if shown else "", checked=[str(folder)], fix=fix)


def _begun(folder: Path, name: str) -> bool:
    try:
        with (folder / "events.ndjson").open(encoding="utf-8") as file:
            return any(line.startswith('{"event": "CaseStarted"') and name in line for line in file)
    except OSError:
        return False


def _id(head: Mapping[str, Any]) -> str:
    return f"{head['file']}::{head['name']}"


def story_of(packed: str, folder: Path) -> dict[str, Any]:
    """Return a packed story of the run in `folder`; empty where there is none. Raises `PeeklockError`."""
    if not packed:
        return {}
    try:
        return unpacked(packed)
    except ValueError as error:
        raise PeeklockError(
            "the record of this case cannot be read", where=str(folder), actual=str(error), fix="run the case again"
        ) from None


def _failure_json(failure: Mapping[str, Any]) -> dict[str, Any]:
    mismatches = [dict(zip(("path", "expected", "actual"), each, strict=True)) for each in failure["mismatches"]]
    return {**_without(failure, "timeline", "likely_cause"), "mismatches": mismatches}


def _unpacked(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return an entry with what is JSON in it as data; what was cut stays a text."""
    data = {"ms": entry["at"], **_without(entry, "at")}
    for key in ("body", "props", "details"):
        if key in data and (value := _record(data[key])) is not None:
            data[key] = value
    return data


def _record(text: str) -> dict[str, Any] | None:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


def _without(data: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in data.items() if key not in keys}
