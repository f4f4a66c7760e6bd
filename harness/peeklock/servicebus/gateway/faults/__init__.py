"""Faults that a test puts between a namespace and its clients; loaded when the first one is asked for."""

from __future__ import annotations

from .registry import Faults

__all__ = ["Faults"]
