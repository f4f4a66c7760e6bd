"""What `/health` tells: to anybody, so nothing secret, and never "ok" for what does not work."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from typing import Any

from .context import NamespaceContext
from .loop_monitor import STALL, LoopMonitor


def health(namespaces: Collection[NamespaceContext], monitor: LoopMonitor, now: float) -> tuple[int, dict[str, Any]]:
    """Return an HTTP status, 200 or 503, and why: `reasons` is empty when all is well."""
    reasons = [f"namespace '{each.namespace.name}': {problem}" for each in namespaces for problem in each.problems()]
    delay = monitor.delay()
    if delay >= STALL:
        reasons.append(f"the event loop stood still for {delay:.1f} s")
    return (503 if reasons else 200), {
        "status": "failing" if reasons else "ok",
        "version": version(),
        "namespaces": {each.namespace.name: each.port for each in namespaces},
        "now": now,
        "loop_delay": round(delay, 4),
        "reasons": reasons,
    }


@cache
def version() -> str:
    """Return this package's version; "unknown" where it was not installed."""
    from importlib import metadata  # 10 ms, for the first who asks

    try:
        return metadata.version("peeklock")
    except metadata.PackageNotFoundError:
        return "unknown"
