"""Which files are scenarios."""

from __future__ import annotations

from pathlib import Path


def is_scenario_file(path: Path) -> bool:
    """Return whether a YAML file is a scenario, by the key at its top."""
    if "fragments" in path.parts or not path.is_file():
        return False
    with path.open(encoding="utf-8", errors="replace") as lines:
        return any(line.startswith(("scenario:", "cases:")) for line in lines)
