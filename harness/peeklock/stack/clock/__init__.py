"""Wall clocks that can be moved: a file that says by how much, and the library that lets processes go by it."""

from __future__ import annotations

__all__ = ["faketime", "movable", "offset_file"]
