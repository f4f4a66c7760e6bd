"""The faults that a scenario can ask for, one file each; docs/adding-a-fault.md tells how to add one."""

from __future__ import annotations

from harness.stack.faults.broker import (
    CloseConnection,
    DeliverTwice,
    Detach,
    DropSettlement,
    ExpireLock,
    ServerBusy,
)
from harness.stack.faults.fault import Fault

KINDS: dict[str, type[Fault]] = {
    fault.kind: fault for fault in (DropSettlement, DeliverTwice, ExpireLock, ServerBusy, Detach, CloseConnection)
}

__all__ = ["KINDS", "Fault"]
