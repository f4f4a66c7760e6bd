"""Fixtures by short names, for suites that have no others of these names: `pytest_plugins = ["peeklock.pytest_plugin.short_names"]`
in the topmost conftest.py."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from peeklock.servicebus import Emulator
from peeklock.stack.backend import Stack


@pytest.fixture
def servicebus(peeklock_servicebus: Emulator) -> Emulator:
    """`peeklock_servicebus`."""
    return peeklock_servicebus


@pytest.fixture(scope="session")
def servicebus_factory(peeklock_servicebus_factory: Callable[..., Emulator]) -> Callable[..., Emulator]:
    """`peeklock_servicebus_factory`."""
    return peeklock_servicebus_factory


@pytest.fixture(scope="session")
def stack(peeklock_stack: Stack) -> Stack:
    """`peeklock_stack`."""
    return peeklock_stack
