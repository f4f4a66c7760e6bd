"""All faults by name."""

from __future__ import annotations

from .close_connection import CloseConnection
from .deliver_twice import DeliverTwice
from .detach import Detach
from .drop_settlement import DropSettlement
from .expire_lock import ExpireLock
from .fault import Fault
from .hold import Hold
from .server_busy import ServerBusy

KINDS: dict[str, type[Fault]] = {
    kind.kind: kind for kind in (CloseConnection, DeliverTwice, Detach, DropSettlement, ExpireLock, Hold, ServerBusy)
}
