"""The warm stack of a project: what is up, what it has logged, and its services started anew."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from peeklock.errors import PeeklockError
from peeklock.redaction import redact
from peeklock.stack.warm import lifecycle
from peeklock.ui.by_hand import ByHand
from peeklock.ui.view import Document, Query, said

MOST_BYTES = 64 << 10
"""Of a log, from its end."""


class WarmStack:
    """Implements `View`, of the project at `root`; the stack may come and go meanwhile."""

    def __init__(self, root: Path, by_hand: ByHand) -> None:
        self._root, self._by_hand = root, by_hand

    @property
    def looks(self) -> Mapping[str, Callable[[Query], Any]]:
        return {"stack": lambda _: self.status(), "log": lambda query: self.log(said(query, "name"))}

    @property
    def acts(self) -> Mapping[str, Callable[[Document], Any]]:
        return {"restart": lambda document: self.restart(said(document, "name"))}

    def status(self) -> dict[str, Any]:
        """Return whether it is up, its processes, and the names of its logs."""
        found = lifecycle.status(self._root)
        return {
            "up": found.up,
            "root": str(found.root),
            "backend": found.backend,
            "in_use": found.in_use,
            "ports": dict(found.ports or {}),
            "processes": [
                {"name": each.name, "pid": each.pid, "since": each.since, "ended": each.ended, "paused": each.paused,
                 "restarts": each.service}
                for each in found.processes
            ],
            "logs": sorted(_logs(found.log_dir)) if found.log_dir is not None else [],
        }  # fmt: skip

    def log(self, name: str) -> dict[str, Any]:
        """Return the last lines of a log. Raises `PeeklockError` when there is none of that name."""
        folder = lifecycle.status(self._root).log_dir
        path = _logs(folder).get(name) if folder is not None else None
        if path is None:
            raise PeeklockError(f"there is no log {name!r}", expected="one of the warm stack's, which is up")
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - MOST_BYTES))
            lines = file.read(MOST_BYTES).decode("utf-8", errors="replace").splitlines()
        return {"name": name, "lines": [redact(line) for line in lines[1 if size > MOST_BYTES else 0 :]], "size": size}

    def restart(self, name: str) -> dict[str, Any]:
        """End a service in order and start it once more. Raises `PeeklockError`."""
        lifecycle.restart(self._root, name)
        self._by_hand.add(f"started {name} anew")
        return {"restarted": name}


def _logs(folder: Path) -> dict[str, Path]:
    return {path.relative_to(folder).with_suffix("").as_posix(): path for path in folder.rglob("*.log")}
