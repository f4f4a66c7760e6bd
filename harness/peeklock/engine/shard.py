"""One part of a run that several machines share, and how files are split into such parts."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

Files = tuple[tuple[str, int], ...]
"""Files with the number of cases that run of each."""
MOST = 1_000
"""Shards of a run."""


@dataclass(frozen=True, slots=True)
class Shard:
    """What one of several machines runs, and what the others do: all of them know all of it."""

    index: int
    """From 1."""
    parts: tuple[Files, ...]
    """The files of every shard. Each file is in exactly one."""
    by: str
    """What the files were weighed by."""
    selection: str = ""
    """The targets and options that chose the cases."""
    commit: str = ""
    """What was checked out; empty where that is not known."""

    @property
    def count(self) -> int:
        """Return how many shards the run has."""
        return len(self.parts)

    @property
    def files(self) -> Files:
        """Return the files of this shard."""
        return self.parts[self.index - 1]

    @property
    def split(self) -> str:
        """Return what shards have in common when they are parts of the same whole: a digest of all parts."""
        return hashlib.sha256(json.dumps(self.parts).encode()).hexdigest()[:12]

    def __str__(self) -> str:
        whole = sum(map(len, self.parts))
        told = f"{len(self.files)} of {whole} files"
        if not self.files:
            told = f"nothing is left for it, {whole} shards are enough for {whole} file{'' if whole == 1 else 's'}"
        return f"shard {self.index} of {self.count}: {told}; split by {self.by}"


def parse_shard(text: str) -> tuple[int, int]:
    """Return number and count of `2/4`. Raises `ValueError` with a sentence for people."""
    found = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text.strip())
    index, count = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 1 <= index <= count <= MOST:
        raise ValueError(f"expected NUMBER/COUNT, from 1/4 to 4/4 for four shards (at most {MOST}), actual {text!r}")
    return index, count


def split(milliseconds: Mapping[str, int], count: int) -> list[list[str]]:
    """Return the files of each of `count` shards: the longest first, each to the shard that has the least so far.

    The slowest shard takes at most 4/3 of what the best split would (Graham 1969). Ties go by name and number, so the
    same files and times give the same parts on every machine, in whatever order they come.
    """
    parts: list[list[str]] = [[] for _ in range(count)]
    loads = [0] * count
    for name in sorted(milliseconds, key=lambda each: (-milliseconds[each], each)):
        least = min(range(count), key=lambda shard: (loads[shard], len(parts[shard]), shard))
        parts[least].append(name)
        loads[least] += milliseconds[name]
    return parts
