"""The run of one shard as its record tells it: found in folders and archives, and read with care, for it comes from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peeklock.engine.shard import MOST, Files, Shard
from peeklock.errors import PeeklockError
from peeklock.reports.html.archive import opened_archive
from peeklock.reports.html.operations import Known
from peeklock.reports.html.record import NAME, read_heads

_OUTCOMES = ("passed", "failed", "skipped", "error")
_FIX = "name archives that `peeklock report --archive FILE` has made of runs with --shard, or folders with them"


@dataclass(frozen=True)
class ShardRun:
    """One run of one shard; of a shard that was run again there are several."""

    source: str
    """The archive or folder as it was named."""
    folder: Path
    """With its record, for as long as it is open."""
    shard: Shard
    facts: Mapping[str, Any]
    """Of its run: `run`, `at`, `backend`, `criteria`; and when it came to its end `seconds`, `interrupted`, `unjudged`."""
    heads: Sequence[Mapping[str, Any]]
    contracts: Known
    """What the contracts of its stand-ins know."""

    @property
    def name(self) -> str:
        """Return `shard 2 of 4`."""
        return f"shard {self.shard.index} of {self.shard.count}"

    @property
    def at(self) -> float:
        """Return when it began, in Unix seconds."""
        return float(self.facts["at"])

    @property
    def seconds(self) -> float | None:
        """Return how long it took; None when it did not come to its end."""
        return self.facts.get("seconds")


@contextmanager
def opened_shards(places: Sequence[Path]) -> Iterator[list[ShardRun]]:
    """Yield the runs in archives, in folders of runs, and in whatever lies below folders of these. Raises `PeeklockError`."""
    with ExitStack() as opened:
        runs = []
        for place in places:
            for found in _found(place):
                folder = found if found.is_dir() else opened.enter_context(opened_archive(found))
                runs.append(_read(str(found), folder))
        yield runs


def _found(place: Path) -> list[Path]:
    if place.is_file() or (place / NAME).is_file():
        return [place]
    found = sorted({*place.rglob("*.zip"), *(path.parent for path in place.rglob(NAME))})
    if not found:
        raise PeeklockError(
            "there is no run of a shard",
            where=str(place),
            expected=f"an archive, or a folder with archives or with {NAME} in it",
            actual="a folder without any" if place.is_dir() else "no such file or folder",
            fix=_FIX,
        )
    return found


def _read(source: str, folder: Path) -> ShardRun:
    try:
        recorded = read_heads(folder)
    except OSError as error:
        raise PeeklockError("this run cannot be read", where=source, actual=error.strerror or str(error)) from None
    if not isinstance(recorded.run.get("shard"), dict):
        raise PeeklockError(
            "this is the run of no shard",
            where=source,
            expected="a run with --shard",
            actual="shards that are merged already" if "merged" in recorded.run else "a run without it",
            fix=_FIX,
        )
    try:
        facts = recorded.run | {"at": float(recorded.run["at"]), "run": str(recorded.run["run"])}
        facts |= {"criteria": {str(key): str(text) for key, text in dict(facts.get("criteria") or {}).items()}}
        if "seconds" in facts:
            facts |= {"seconds": float(facts["seconds"])}
        heads = [_checked(head) for head in recorded.heads]
        return ShardRun(source, folder, _shard(facts["shard"]), facts, heads, recorded.contracts)
    except (KeyError, TypeError, ValueError) as error:
        raise PeeklockError(
            "the record of this run cannot be read", where=source, actual=f"{type(error).__name__}: {error}", fix=_FIX
        ) from None


def _shard(data: Mapping[str, Any]) -> Shard:
    parts: tuple[Files, ...] = tuple(tuple((str(file), int(cases)) for file, cases in part) for part in data["parts"])
    index = int(data["index"])
    if not 1 <= index <= len(parts) <= MOST:
        raise ValueError(f"there is no shard {index} of {len(parts)}")
    return Shard(index, parts, str(data["by"]), str(data["selection"]), str(data["commit"]))


def _checked(head: Mapping[str, Any]) -> Mapping[str, Any]:
    setup, waiting, working = map(float, head["seconds"])
    if head["outcome"] not in _OUTCOMES or not all(isinstance(head[key], str) for key in ("file", "name")):
        raise ValueError("a case without a name or an outcome")
    return {**head, "seconds": [setup, waiting, working], "repeat": int(head.get("repeat", 0))}
