"""What services make in their dependencies as they start, which a reset between cases would take from them."""

from __future__ import annotations

from peeklock.stack.backend import EnvironmentSpec
from peeklock.stack.environment.record import Record
from peeklock.stack.servers.group import ServerGroup


def tables_of(spec: EnvironmentSpec, record: Record, servers: ServerGroup) -> set[str]:
    """Return the tables in the database of an environment; none where nobody could have made any."""
    if spec.stack.postgres is None or not spec.services:
        return set()
    return servers.postgres().tables(record.database)


def note_made(spec: EnvironmentSpec, record: Record, servers: ServerGroup, before: set[str]) -> None:
    """Write down which tables, `before` left out, and which containers services have made."""
    record.made_tables = sorted(tables_of(spec, record, servers) - before)
    if spec.stack.blobs is not None and spec.services:
        found = servers.blobs().containers(record.slot)
        record.made_containers = sorted(set(found) - set(spec.stack.blobs.containers))
