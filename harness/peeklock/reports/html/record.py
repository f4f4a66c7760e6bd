"""The cases of a run as they end: a line each in the run's folder, so that nothing of them has to stay in memory."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from peeklock.engine.events import CaseFinished, Event, RunFinished, RunStarted
from peeklock.errors import PeeklockError
from peeklock.redaction import redact
from peeklock.reports.html.case_data import data_of, head_of, packed
from peeklock.reports.html.contracts import Contracts
from peeklock.reports.html.coverage import Coverage, seen_in
from peeklock.reports.html.history import History
from peeklock.reports.html.operations import Known, known_in, read_known

NAME = "cases.ndjson"
MOST_BYTES = 64 << 20
"""Of a record: behind them, passed cases are kept without their stories."""


class RunRecord:
    """Writes `cases.ndjson`, and `history.json` at the end. A handler of events."""

    def __init__(self, folder: Path) -> None:
        self._path, self._history = folder / NAME, History(folder)
        self._path.write_bytes(b"")
        self._told: set[str] = set()
        """Contracts whose operations are in the record."""

    def __call__(self, event: Event) -> None:
        match event:
            case RunStarted():
                facts = {
                    "run": event.run,
                    "at": event.at,
                    "backend": event.backend,
                    "cases": event.cases,
                    "criteria": {key: redact(sentence) for key, sentence in event.criteria.items()},
                }
                if event.shard is not None:
                    facts["shard"] = dataclasses.asdict(event.shard)
                self._write({"run": facts})
            case CaseFinished():
                self._case(event)
            case RunFinished():
                self._write(
                    {
                        "end": {
                            "seconds": round(event.seconds, 3),
                            "interrupted": event.interrupted,
                            "unjudged": event.unjudged,
                        }
                    }
                )
                self._history.write()

    def _case(self, event: CaseFinished) -> None:
        line: dict[str, Any] = {"case": head_of(event)}
        self._history.add(line["case"])
        contracts = None if event.record is None else Contracts(event.record)
        if event.record is not None and contracts is not None:
            new = {file: known for file, known in known_in(event.record.contracts).items() if file not in self._told}
            if new:
                self._told |= new.keys()
                self._write({"contracts": new})
            line["seen"] = seen_in(event.record, contracts)
        if event.outcome == "passed" and self._path.stat().st_size > MOST_BYTES:
            line["case"]["left_out"] = True
        else:
            line["story"] = packed(data_of(event, contracts))
        self._write(line)

    def _write(self, line: dict[str, Any]) -> None:
        with self._path.open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")


@dataclass
class Recorded:
    """What a record holds besides the stories, which are as long as all the rest many times over."""

    run: dict[str, Any] = field(default_factory=dict)
    heads: list[dict[str, Any]] = field(default_factory=list)
    coverage: Coverage = field(default_factory=Coverage)
    contracts: Known = field(default_factory=dict)
    """What the contracts of stand-ins know, whether a case has asked it or not."""


def write_cases(
    folder: Path, run: Mapping[str, Any], known: Known, cases: Iterable[Mapping[str, Any]], end: Mapping[str, Any]
) -> None:
    """Write a record of cases that other runs have kept: lines as `read_lines` yields them. Raises `OSError`."""
    history, written = History(folder), 0
    with (folder / NAME).open("w", encoding="utf-8", errors="backslashreplace") as file:
        for head in ({"run": run}, {"contracts": known}):
            file.write(json.dumps(head, ensure_ascii=False) + "\n")
        for line in cases:
            history.add(line["case"])
            if written > MOST_BYTES and line["case"]["outcome"] == "passed":
                line = {"case": {**line["case"], "left_out": True}, "seen": line.get("seen")}
            written += file.write(json.dumps(line, ensure_ascii=False) + "\n")
        file.write(json.dumps({"end": end}, ensure_ascii=False) + "\n")
    history.write()


def read_heads(folder: Path) -> Recorded:
    """Return the run and the heads of its cases. Raises `OSError`; what a run that was killed has half written is left out."""
    recorded = Recorded()
    for line in read_lines(folder):
        for key in ("run", "end"):
            recorded.run |= line[key] if isinstance(line.get(key), dict) else {}
        if "contracts" in line:
            known = read_known(line["contracts"])
            recorded.contracts |= known
            recorded.coverage.operations.declare(known)
        if isinstance(line.get("case"), dict):
            recorded.coverage.add(len(recorded.heads), line.get("seen"))
            recorded.heads.append(line["case"])
    return recorded


def read_stories(folder: Path) -> Iterator[str]:
    """Yield the packed story of each case, in the order of the heads; an empty text where there is none. Raises `OSError`."""
    for _, story in read_cases(folder):
        yield story


def read_cases(folder: Path) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield the head of each case with its packed story. Raises `OSError`."""
    for line in read_lines(folder):
        if isinstance(line.get("case"), dict):
            story = line.get("story", "")
            yield line["case"], story if isinstance(story, str) else ""


def read_lines(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield what a record holds: `run`, a line for each `case`, `contracts` before the first case with them, `end`. Raises `OSError`."""
    with (folder / NAME).open(encoding="utf-8", errors="replace") as file:
        for text in file:
            try:
                line = json.loads(text)
            except (ValueError, RecursionError):
                continue
            if isinstance(line, dict):
                yield line


def recorded_folder(root: Path, run: str) -> Path:
    """Return the folder of a run of the project at `root`: `run-7`, `7`, its path, or the last one. Raises `PeeklockError`."""
    base = root / ".peeklock"
    kept = {int(found[1]): path for path in base.glob("run-*") if (found := re.fullmatch(r"run-(\d+)", path.name))}
    recorded = {number: path for number, path in kept.items() if (path / NAME).exists()}
    if not run:
        if recorded:
            return recorded[max(recorded)]
        raise PeeklockError("there is no run with a record", checked=[f"{base}/run-*"], fix="`peeklock run` first")
    number = run.removeprefix("run-")
    folder = base / f"run-{number}" if number.isdigit() else Path(run)
    if not (folder / NAME).exists():
        known = ", ".join(path.name for _, path in sorted(recorded.items())[-5:])
        raise PeeklockError(
            f"there is no record of the run {run}",
            expected=f"the folder of a run{f', as {known}' if known else ''}",
            actual="no such folder" if not folder.exists() else f"no {NAME} in it",
            checked=[str(folder)],
            fix="name one of those, or `peeklock run` anew",
        )
    return folder
