"""The clock of an environment that stands: moved by hand where its stack has one of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from peeklock.stack.backend import Clock
from peeklock.stack.clock.movable import Member, MovableClock, RealClock
from peeklock.stack.environment.record import Record
from peeklock.stack.local import LocalStack
from peeklock.stack.warm.kept import kept_stacks


@contextmanager
def kept_clock(root: Path, name: str) -> Iterator[Clock]:
    """Hand over the clock of the environment of that name that a run has kept; the machine's when it has none of its own."""
    for _, stack in kept_stacks(root):
        with stack:
            record = next((each for each in stack.records() if each.name == name), None)
            if record is not None and stack.offset_file is not None:
                yield _clock(stack, record)
                return
    yield RealClock()


def _clock(stack: LocalStack, record: Record) -> MovableClock:
    file, servers = stack.offset_file, stack.servers
    assert file is not None
    members: dict[str, Member] = {}
    if servers.stands("postgres"):
        members["postgres"] = lambda: servers.postgres().time()
    if servers.stands("blobs"):
        members["blobs"] = lambda: servers.blobs().time()
    bus = servers.servicebus if servers.stands("servicebus") else None
    clock = MovableClock(file, members, lambda: file.left_out(stack.children.leaders(record.prefix)), bus)
    clock.go_on()
    return clock
