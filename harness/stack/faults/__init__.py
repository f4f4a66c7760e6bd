"""The faults that a scenario can ask for, one file each; docs/adding-a-fault.md tells how to add one."""

from __future__ import annotations

from harness.stack.faults.bandwidth import Bandwidth
from harness.stack.faults.broker import (
    CloseConnection,
    DeliverTwice,
    Detach,
    DropSettlement,
    ExpireLock,
    ServerBusy,
)
from harness.stack.faults.content_length import ContentLength
from harness.stack.faults.down import Down
from harness.stack.faults.fault import Fault, HttpFault, NetworkFault
from harness.stack.faults.latency import Latency
from harness.stack.faults.limit_data import LimitData
from harness.stack.faults.reset_peer import ResetPeer
from harness.stack.faults.slow_body import SlowBody
from harness.stack.faults.status import Status
from harness.stack.faults.timeout import Timeout
from harness.stack.faults.truncate import Truncate

NETWORK = (Latency, Bandwidth, Timeout, ResetPeer, LimitData, Down)
HTTP = (Status, Truncate, ContentLength, SlowBody)
BROKER = (DropSettlement, DeliverTwice, ExpireLock, ServerBusy, Detach, CloseConnection)

KINDS: dict[str, type[Fault]] = {fault.kind: fault for fault in (*NETWORK, *HTTP, *BROKER)}

__all__ = ["KINDS", "Fault", "HttpFault", "NetworkFault"]
