"""The relay: a program between services and what they reach, in which faults strike. `servers.relay` starts it."""

from __future__ import annotations

__all__ = ["http_end"]
