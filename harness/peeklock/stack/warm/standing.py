"""What stands now and can be entered: the environments of the warm stack, and those that a run has kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from peeklock.stack.environment.record import Record
from peeklock.stack.local import LocalStack, warm_state
from peeklock.stack.open import stack_class
from peeklock.stack.progress import silent
from peeklock.stack.servers.servicebus import ROOT_RULE, connection_string
from peeklock.stack.warm.kept import kept_stacks


@dataclass(frozen=True, slots=True)
class Standing:
    """One environment, with the keys to it. Show them to whoever asked for them, and write them nowhere."""

    name: str
    """The stem of its scenario file."""
    kept: bool
    """Left standing by `peeklock run --keep`, with what its last case has left in it."""
    postgres_url: str | None = None
    blobs_connection_string: str | None = None
    servicebus_connection_string: str | None = None
    services: Mapping[str, str] = field(default_factory=dict)
    """URL by service."""
    relay: Mapping[str, Any] | None = None
    """How the relay in which faults strike is reached; None where nothing stands between."""
    relayed: tuple[str, ...] = ()
    """What is behind it."""


def standing(root: Path) -> list[Standing]:
    """Return every environment of a project that stands, those of the warm stack first. Raises `StackError`."""
    found: list[Standing] = []
    warm = warm_state(root)
    if warm is not None:
        supervisor, state = warm
        with stack_class(state["backend"])(supervisor, state, silent, warm=True) as stack:
            found += _environments(stack, kept=False)
    for _, stack in kept_stacks(root):
        with stack:
            found += _environments(stack, kept=True)
    return found


def _environments(stack: LocalStack, *, kept: bool) -> Iterator[Standing]:
    for record in stack.records():
        yield Standing(
            record.name,
            kept,
            stack.servers.postgres().url(record.database) if record.template is not None else None,
            stack.servers.blobs().connection_string(record.slot) if "blobs" in stack.ports else None,
            _bus(record),
            {name: f"http://127.0.0.1:{ports[0]}" for name, ports in record.ports.items() if ports},
            record.relay,
            tuple(record.relay_ports),
        )


def _bus(record: Record) -> str | None:
    if record.namespace_port is None:
        return None
    return connection_string(record.namespace_port, ROOT_RULE, record.keys[ROOT_RULE])
