"""Looks round a repository: which services, entities and databases its own files tell of, as a first scenario.

Reads files and starts nothing. What cannot be carried over is told, in `Draft.passed_over` and `Draft.to_change`.
"""

from __future__ import annotations

from .draft import Draft, DraftService
from .project import SourceUnknown, survey
from .writing import CHANGE, scenario_text

__all__ = ["CHANGE", "Draft", "DraftService", "SourceUnknown", "scenario_text", "survey"]
