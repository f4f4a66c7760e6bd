"""How every Postgres of a stack is set up."""

from __future__ import annotations

SETTINGS = (
    # Nothing here outlives the stack, so nothing needs to survive a crash of the machine.
    "fsync=off", "synchronous_commit=off", "full_page_writes=off", "wal_level=minimal", "max_wal_senders=0",
    "shared_buffers=32MB", "jit=off", "autovacuum=off", "max_wal_size=256MB",
    # One server has the databases of all files that run side by side, each with the pools of all its services.
    "max_connections=1000",
    # The password is 128 random bits: more rounds of hashing would protect nothing and cost 5 ms a connection.
    "scram_iterations=1",
    "timezone=UTC", "log_timezone=UTC", "log_line_prefix=%m [%p] %d ", "lc_messages=C",
    "logging_collector=off", "dynamic_shared_memory_type=mmap", "listen_addresses=127.0.0.1", "cluster_name=peeklock",
)  # fmt: skip
"""Of the server, on every backend, as `name=value`."""


def settings_of(major: int) -> tuple[str, ...]:
    """Return those that a version knows."""
    return tuple(each for each in SETTINGS if major >= 16 or not each.startswith("scram_iterations"))
