"""What the process of a load is told: everything that it needs, as a line of JSON."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Act:
    """A step that each user does in each round. Its names are not looked up."""

    verb: str
    title: str
    """By which it is counted."""
    arguments: Any
    folder: str
    """Where its relative paths start."""
    expect: Any = None
    """None for no expectation."""
    capture: Mapping[str, str] = field(default_factory=dict)
    """Name → path into the result."""
    steps: tuple[Act, ...] = ()
    """Of a fragment."""
    bindings: Mapping[str, Any] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> Act:
        """Return an act from JSON."""
        steps, outputs = tuple(map(cls.read, told["steps"])), tuple(told["outputs"])
        return cls(**{**told, "steps": steps, "outputs": outputs})


@dataclass(frozen=True)
class Order:
    """One load. Times are in seconds."""

    acts: tuple[Act, ...]
    users: int
    spawn_rate: float
    """Users that begin in a second."""
    duration: float | None
    iterations: int | None
    pause: float
    names: Mapping[str, Any]
    """What every act may name, besides its own `user` and `index`."""
    correlation_id: str
    """Of what says none."""
    services: Mapping[str, str]
    """Service → its URL."""
    service: str
    """The one that a path goes to when nobody says which; empty where none is meant."""
    headers: Mapping[str, str]
    """Of every request to a service."""
    servicebus: str
    """A connection string; empty for none."""
    queues: Mapping[str, str]
    """A queue's name in the file → its name in the namespace."""
    ahead: float = 0.0
    """How far the clock of the case is ahead of the machine's."""
    seed: str = ""
    """Of invented values."""

    def line(self) -> bytes:
        """Return it as a line of JSON, without the end of the line."""
        return json.dumps(dataclasses.asdict(self), default=str).encode()

    @classmethod
    def read(cls, line: bytes | str) -> Order:
        """Return the order that a line holds."""
        told = json.loads(line)
        return cls(**{**told, "acts": tuple(map(Act.read, told["acts"]))})
