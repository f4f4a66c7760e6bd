"""Which commit is checked out."""

from __future__ import annotations

import subprocess
from pathlib import Path

_LONGEST = 5.0
"""Seconds that git may take to tell."""


def commit_of(folder: Path) -> str:
    """Return the hash of the commit that a folder is at; empty where there is no git, or no repository that it trusts."""
    try:
        told = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=folder, capture_output=True, text=True, timeout=_LONGEST, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return told.stdout.strip() if told.returncode == 0 else ""
