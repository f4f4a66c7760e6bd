"""What cannot pass against the emulator, and why; whatever else fails, is a bug, and so is what passes all the same."""

from __future__ import annotations

EXPECTED: dict[str, str] = {}
"""Test ids, as the run prints them, with the reason."""
