"""Processes that end with their owner: one supervisor, the parent of every child. Knows nothing of what the children are for."""

from __future__ import annotations

__all__ = [
    "children",
    "client",
    "commands",
    "errors",
    "fork_server",
    "log_file",
    "process_tree",
    "program",
    "readiness",
    "usage",
]
