"""Faults that a test puts between a namespace and its clients.

The classes say what there is to ask for, and need no emulator; `Faults`, which makes them strike, is loaded when it is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .close_connection import CloseConnection
from .deliver_twice import DeliverTwice
from .detach import Detach
from .drop_settlement import DropSettlement
from .expire_lock import ExpireLock
from .fault import Fault
from .hold import Hold
from .kinds import KINDS
from .server_busy import ServerBusy

if TYPE_CHECKING:
    from .registry import Faults

__all__ = [
    "KINDS",
    "CloseConnection",
    "DeliverTwice",
    "Detach",
    "DropSettlement",
    "ExpireLock",
    "Fault",
    "Faults",
    "Hold",
    "ServerBusy",
]


def __getattr__(name: str) -> Any:
    if name != "Faults":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .registry import Faults

    return Faults
