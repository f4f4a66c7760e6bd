"""The control API: HTTP for whoever owns this process (namespaces, ledger, reset, clock)."""

from __future__ import annotations

from .service import ControlApi

__all__ = ["ControlApi"]
