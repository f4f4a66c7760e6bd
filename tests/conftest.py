"""The order of the suite: what is fast and pure fails first."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

TIERS = ("unit", "conformance", "acceptance", "mutants")
HERE = Path(__file__).parent
# What these tests hold is the same whether this machine has a container engine or not; those of containers ask for it.
os.environ["PEEKLOCK_BACKEND"] = "embedded"
# How long an example takes says how busy the machine is.
settings.register_profile("busy machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy machine")


def _tier(item: pytest.Item) -> tuple[bool, int]:
    part = item.path.relative_to(HERE).parts[0] if item.path.is_relative_to(HERE) else ""
    slow = item.get_closest_marker("slow") is not None
    return slow, TIERS.index(part) if part in TIERS else len(TIERS)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort by tier, slow ones last; within a tier the random order stays."""
    items.sort(key=_tier)
