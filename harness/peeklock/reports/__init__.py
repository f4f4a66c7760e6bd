"""What people and pipelines read: each report is a handler of the engine's events."""

from __future__ import annotations
