"""The live page, `peeklock ui`: what is in a running namespace, and what is done to it by hand."""

from __future__ import annotations

__all__ = ["namespace", "server"]
