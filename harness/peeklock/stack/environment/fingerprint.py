"""Has the source of a service changed since it was started? Names, sizes and times of modification, not contents."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

SKIPPED = frozenset({"node_modules", "__pycache__", "venv", "dist", "build", "target", "tests", "test"})
"""Folders that are not source; in folders that were named by `watch`, only those of tools are skipped."""
_TOOLS = frozenset({"node_modules", "__pycache__"})
_SOURCE = frozenset(
    [
        ".py",
        ".js",
        ".mjs",
        ".cjs",
        ".ts",
        ".tsx",
        ".go",
        ".rs",
        ".java",
        ".kt",
        ".cs",
        ".rb",
        ".php",
        ".ex",
        ".c",
        ".cc",
        ".cpp",
        ".h",
        ".sh",
        ".sql",
        ".toml",
        ".json",
        ".env",
        ".cfg",
        ".ini",
        ".html",
    ]
)


def fingerprint(named: Iterable[Path], otherwise: Path) -> str:
    """A digest that changes when a file below `named` does; below `otherwise` (source files only) when nothing is named."""
    found = hashlib.sha256()
    paths = list(named)
    files = (entry for path in paths for entry in _below(path, _TOOLS)) if paths else _sources(otherwise)
    for path, status in sorted(files, key=lambda pair: pair[0]):
        found.update(f"{path}\0{status.st_size}\0{status.st_mtime_ns}\0".encode(errors="surrogateescape"))
    return found.hexdigest()[:20]


def _sources(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    return (pair for pair in _below(folder, SKIPPED) if os.path.splitext(pair[0])[1] in _SOURCE)  # noqa: PTH122


def _below(path: Path, skipped: frozenset[str]) -> Iterator[tuple[str, os.stat_result]]:
    if not path.is_dir():
        if path.exists():
            yield str(path), path.stat()
        return
    todo = [str(path)]
    while todo:
        try:
            entries = list(os.scandir(todo.pop()))
        except OSError:  # removed while we looked
            continue
        for entry in entries:
            if entry.name.startswith("."):
                continue
            try:
                if entry.is_dir(follow_symlinks=False):
                    if entry.name not in skipped:
                        todo.append(entry.path)
                elif not entry.name.endswith(".pyc"):
                    yield entry.path, entry.stat()
            except OSError:
                continue
