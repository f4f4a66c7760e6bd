"""Whose stack it is: the one rule for where `.peeklock` lies, which every command goes by."""

from __future__ import annotations

from pathlib import Path

_MARKS = (".git", "peeklock.yaml", "pyproject.toml", ".peeklock")


def stack_root(path: Path | None = None) -> Path:
    """The repository of `path` (absent: of the current folder), else the nearest folder above it with a `peeklock.yaml`, else
    with a `pyproject.toml`, else with a `.peeklock`; else the current folder, or that of `path` when it lies elsewhere.

    So all projects of one repository share a stack, and a command finds it from wherever in it it is typed.
    """
    here = Path.cwd()
    path = here if path is None else path.resolve()
    folder = path if path.is_dir() else path.parent
    for mark in _MARKS:
        for parent in (folder, *folder.parents):
            if (parent / mark).exists():
                return parent
    return here if path.is_relative_to(here) else folder
