"""A check before the first message: do services reach the same things, and is everything there? Nothing is sent or changed.

Names are loaded when they are asked for: what looks at databases and storage accounts takes half a second to import.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .checking import check
    from .expected import Expected, Schema, expected_of
    from .findings import Finding, Report, Unchecked
    from .reach.database import look_at_database
    from .settings import EnvironmentFileInvalid, Setting, read_files

_HOMES = {
    "EnvironmentFileInvalid": "settings",
    "Expected": "expected",
    "Finding": "findings",
    "Report": "findings",
    "Schema": "expected",
    "Setting": "settings",
    "Unchecked": "findings",
    "check": "checking",
    "expected_of": "expected",
    "look_at_database": "reach.database",
    "read_files": "settings",
}

__all__ = [
    "EnvironmentFileInvalid",
    "Expected",
    "Finding",
    "Report",
    "Schema",
    "Setting",
    "Unchecked",
    "check",
    "expected_of",
    "look_at_database",
    "read_files",
]


if not TYPE_CHECKING:  # a type checker knows each name by its import above

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
