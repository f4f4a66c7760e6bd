"""The processes of a warm stack, as people see them."""

from __future__ import annotations

from typing import Any

import pytest

from peeklock.stack.warm.lifecycle import Running


@pytest.mark.parametrize(
    ("child", "shown", "service"),
    [
        ("env0:worker.1", "orders/worker.1", True),
        ("postgres", "postgres", False),
        ("tunnel0:inside", "tunnel0/inside", False),
        ("relay0:", "relay0:", False),
    ],
)
def test_only_services_are_services(child: str, shown: str, service: bool) -> None:
    """What they stand on can not be started anew by itself: containers reach their environment by a tunnel of two processes."""
    told: dict[str, Any] = {"name": child, "pid": 7, "started": 1.0, "code": None, "paused": False}
    found = Running.of(told, {"env0": "orders"})
    assert (found.name, found.service) == (shown, service)
