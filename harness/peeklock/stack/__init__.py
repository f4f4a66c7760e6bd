"""What a case stands on: dependencies, services, faults and a clock. Imports nothing, since small programs live below it."""

from __future__ import annotations

__all__ = [
    "backend",
    "choice",
    "clock",
    "containers",
    "embedded",
    "environment",
    "errors",
    "faults",
    "local",
    "loopback",
    "open",
    "project",
    "warm",
]
