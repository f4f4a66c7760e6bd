"""What Locust has counted and measured so far."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self


@dataclass(frozen=True)
class Measured:
    """Requests of one kind. Times in seconds, as exact as Locust keeps them: two digits that count."""

    requests: int = 0
    """Those that failed included."""
    failures: int = 0
    rate: float = 0.0
    """Requests a second, from the first to the last."""
    p50: float = 0.0
    p95: float = 0.0
    p99: float = 0.0
    max: float = 0.0


@dataclass(frozen=True)
class Taken:
    """One HTTP request that was answered: what a budget looks at."""

    service: str
    method: str
    path: str
    status: int
    seconds: float


@dataclass(frozen=True)
class Figures:
    """All requests together, and by act."""

    total: Measured
    acts: Mapping[str, Measured]
    errors: tuple[Mapping[str, Any], ...]
    """`{act, error, count}`, the most frequent first."""
    iterations: int
    """Rounds that have come to their end, well or not."""
    users: int
    """Those at it now."""
    now: float
    """Requests a second, in the last ten seconds."""
    seconds: float
    """Since the first user began."""
    ended: bool
    taken: tuple[Taken, ...] = field(default=(), repr=False)
    """Requests since the last figures."""

    def view(self) -> dict[str, Any]:
        """Return what an expectation sees."""
        whole = {**dataclasses.asdict(self.total), "iterations": self.iterations, "seconds": self.seconds}
        acts = {name: dataclasses.asdict(each) for name, each in self.acts.items()}
        return {**whole, "acts": acts, "errors": [dict(each) for each in self.errors]}

    def line(self) -> bytes:
        """Return it as a line of JSON, with its end."""
        return json.dumps(dataclasses.asdict(self)).encode() + b"\n"

    @classmethod
    def read(cls, line: bytes | str) -> Self:
        """Return the figures that a line holds."""
        told = json.loads(line)
        told["total"] = Measured(**told["total"])
        told["acts"] = {name: Measured(**each) for name, each in told["acts"].items()}
        told["errors"], told["taken"] = tuple(told["errors"]), tuple(Taken(**each) for each in told["taken"])
        return cls(**told)
