"""Python functions of the user's, called in a process of their own, where they cannot end, hang or exhaust a run."""

from __future__ import annotations

from peeklock.engine.functions.caller import Functions

__all__ = ["Functions"]
