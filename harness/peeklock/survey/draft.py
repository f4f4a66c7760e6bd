"""What a survey has found, on the way to a scenario file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class DraftService:
    """A process that the repository runs."""

    name: str
    run: list[str] = field(default_factory=list)
    cwd: Path | None = None
    """None: the project's root."""
    env: dict[str, Any] = field(default_factory=dict)
    ready: str = ""
    """A path that it answers when it is ready; empty for what serves no HTTP."""
    consumes: list[str] = field(default_factory=list)
    """Queues, and subscriptions by their path, from which it receives."""
    depends_on: list[str] = field(default_factory=list)
    replicas: int = 1
    unknown: dict[str, str] = field(default_factory=dict)
    """Variables that it reads and nobody gives a value, with the place where it does."""
    image: str = ""


@dataclass
class Draft:
    """A scenario file in the making."""

    root: Path
    sources: list[Path] = field(default_factory=list)
    """Files of which it was made."""
    config: Path | None = None
    """The official emulator's Config.json."""
    queues: dict[str, dict[str, Any]] = field(default_factory=dict)
    topics: dict[str, dict[str, Any]] = field(default_factory=dict)
    containers: list[str] = field(default_factory=list)
    migrations: Path | None = None
    parts: set[str] = field(default_factory=set)
    """What it stands on: `postgres`, `blobs`, `servicebus`."""
    services: dict[str, DraftService] = field(default_factory=dict)
    contract: Path | None = None
    """An OpenAPI document of its API."""
    requests: list[tuple[str, int]] = field(default_factory=list)
    """Paths that can be asked without knowing more, with the status that is promised."""
    passed_over: list[str] = field(default_factory=list)
    """What its sources say and the draft does not, each with its place."""
    to_change: list[str] = field(default_factory=list)
    """What nobody but its owner knows."""

    @property
    def receivable(self) -> list[str]:
        """Queues, and subscriptions by their path."""
        below = [
            f"{topic}/Subscriptions/{name}"
            for topic, facts in self.topics.items()
            for name in facts.get("subscriptions", ())
        ]
        return [*self.queues, *below]

    def near(self, path: Path) -> str:
        """Return a path as its owner would say it."""
        return str(path.relative_to(self.root)) if path.is_relative_to(self.root) else str(path)
