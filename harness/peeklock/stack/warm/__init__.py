"""Stacks that outlive the command that started them: those of `peeklock up`, and those that a run has kept."""

from __future__ import annotations

__all__ = ["clock", "grafana", "kept", "lifecycle", "metrics_page", "standing"]
