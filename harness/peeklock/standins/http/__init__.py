"""Stand-ins for anything that speaks HTTP, by routes: those of scenarios, and `HttpStandIn` for tests of their own."""

from __future__ import annotations

from peeklock.standins.http.alone import HttpStandIn

__all__ = ["HttpStandIn"]
