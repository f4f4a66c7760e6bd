"""What is known of an exploration, kept on disk as it becomes known, so that one that was interrupted can go on."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from peeklock.errors import PeeklockError
from peeklock.explore.events import Event, Finding, Known, Tried, Wanted
from peeklock.explore.judge import Difference
from peeklock.explore.noise import Record
from peeklock.explore.shrink import Shrunk
from peeklock.explore.trial import Ended, Trial
from peeklock.scenario.model import Case, Scenario


class CannotResume(PeeklockError):
    """There is nothing to go on with, or it was of something else."""


@dataclass(frozen=True)
class Notes:
    """A file with a line of JSON for each disturbance and finding, and one before them that tells of what."""

    path: Path
    of: Mapping[str, Any]

    @classmethod
    def of_case(cls, path: Path, scenario: Scenario, case: Case, wanted: Wanted) -> Notes:
        """Return those of one case, explored in one way."""
        text = json.dumps(scenario.document.data, sort_keys=True, default=str)
        digest = hashlib.sha256(text.encode()).hexdigest()
        of = {"case": case.name, "file": digest, "seed": wanted.seed, "depth": wanted.depth, "only": [*wanted.only]}
        return cls(path, of)

    def begin(self) -> None:
        """Begin anew. Raises `OSError`."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps(self.of) + "\n", encoding="utf-8")

    def __call__(self, event: Event) -> None:
        """Keep what has become known. Raises `OSError`."""
        match event:
            case Tried():
                line = _tried(event)
            case Finding():
                line = _finding(event)
            case _:
                return
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")

    def known(self) -> Known:
        """Return what was known at the end. Raises `CannotResume`."""
        try:
            first, *lines = [*self._lines()]
        except (OSError, ValueError):
            raise CannotResume(
                "there is nothing to go on with", where=str(self.path), fix="explore without --resume"
            ) from None
        if first != self.of:
            different = [key for key in self.of if first.get(key) != self.of[key]]
            raise CannotResume(
                "what was begun is another exploration",
                where=str(self.path),
                actual=f"different: {', '.join(different)}",
                fix="explore as then, or without --resume",
            )
        return Known(
            {each["disturbance"]: _trial(each) for each in lines if "verdict" in each},
            {each["signature"]: _found(each) for each in lines if "repeated" in each},
        )

    def _lines(self) -> Iterator[dict[str, Any]]:
        for line in self.path.read_text(encoding="utf-8").splitlines():
            with contextlib.suppress(ValueError):  # the last one may have been cut off
                yield json.loads(line)


def _tried(event: Tried) -> dict[str, Any]:
    trial = event.trial
    told = {"disturbance": event.disturbance.text, "verdict": trial.verdict, "seconds": round(trial.seconds, 3)}
    return {**told, "reason": trial.reason, "differences": [asdict(each) for each in trial.differences]}


def _trial(line: dict[str, Any]) -> Trial:
    found = [
        Difference(**{**each, "record": _record(each["record"]), "instead": _record(each["instead"])})
        for each in line["differences"]
    ]
    return Trial(line["verdict"], line["seconds"], Ended((), (), (), found, True, 1), line["reason"])


def _record(pairs: list[list[str]]) -> Record:
    return tuple((name, value) for name, value in pairs)


def _finding(event: Finding) -> dict[str, Any]:
    shrunk = None if event.shrunk is None else {"kept": [*event.shrunk.kept], "of": event.shrunk.of}
    return {
        "signature": event.trial.signature,
        "disturbed_by": event.disturbance.text,
        "repeated": event.repeated,
        "shrunk": shrunk,
        "written": None if event.file is None else str(event.file),
    }


def _found(line: dict[str, Any]) -> tuple[str, int, Shrunk | None, Path | None]:
    shrunk = line["shrunk"]
    return (
        line["disturbed_by"],
        line["repeated"],
        None if shrunk is None else Shrunk(tuple(shrunk["kept"]), shrunk["of"], ()),
        None if line["written"] is None else Path(line["written"]),
    )
