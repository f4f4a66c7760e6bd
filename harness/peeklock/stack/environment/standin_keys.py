"""The keys by which services are known to stand-ins: each has its own, so that a journal tells who asked."""

from __future__ import annotations

import secrets
from collections.abc import Iterable

from peeklock.scenario.topology import Stack
from peeklock.stack.environment.record import Record


def make_standin_keys(record: Record, stack: Stack, services: Iterable[str]) -> None:
    """Write into a record the keys that it lacks; those of `""` are the test's."""
    holders = ("", *services)
    if stack.openai is not None:
        for holder in holders:
            record.standin_keys.setdefault(holder, secrets.token_hex(32))
    for name in stack.azure_ml or ():
        keys = record.http_keys.setdefault(name, {})
        for holder in holders:
            keys.setdefault(holder, secrets.token_hex(16))
