"""Telling people what takes long."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str], None]
"""Called with a short text when long work begins."""


def silent(_text: str) -> None:
    """A `Progress` that says nothing."""
