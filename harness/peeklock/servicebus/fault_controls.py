"""The faults of an emulator in this process, one method each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec

from .gateway import Server
from .gateway.faults import (
    CloseConnection,
    DeliverTwice,
    Detach,
    DropSettlement,
    ExpireLock,
    Fault,
    Hold,
    ServerBusy,
)

P = ParamSpec("P")


def _begins(kind: Callable[P, Fault]) -> Callable[Concatenate[FaultControls, P], str]:
    """Make the method that begins a kind of fault: its arguments are the settings, its text is that of the class."""

    def begin(self: FaultControls, /, *args: P.args, **settings: P.kwargs) -> str:
        return self.start(kind(*args, **settings))

    begin.__doc__ = kind.__doc__
    return begin


class FaultControls:
    """`Emulator.faults`. Each method that begins a fault returns its id; an `entity` of None is the whole namespace, `times`
    of None lasts until the fault is cleared. Raises `TopologyError`, and `BrokerError` for an entity that is not there."""

    def __init__(self, call: Callable[[Callable[[Server], Any]], Any]) -> None:
        self._call = call

    close_connection = _begins(CloseConnection)
    deliver_twice = _begins(DeliverTwice)
    detach = _begins(Detach)
    drop_settlement = _begins(DropSettlement)
    expire_lock = _begins(ExpireLock)
    hold = _begins(Hold)
    server_busy = _begins(ServerBusy)

    def start(self, fault: Fault) -> str:
        """Begin a fault."""
        return str(self._call(lambda server: server.administration.faults().start(fault).id))

    def begin(self, fault: str, entity: str | None = None, **settings: Any) -> str:
        """Begin a fault by its name, with the settings that the control API takes."""
        document = {"fault": fault, "entity": entity, **settings}
        return str(self._call(lambda server: server.administration.faults().begin(document).id))

    def listing(self) -> list[dict[str, Any]]:
        """Tell of all faults that were not cleared, and how often each has struck."""
        found: list[dict[str, Any]] = self._call(lambda server: server.administration.faults().listing())
        return found

    def end(self, fault_id: str) -> None:
        """Clear one fault."""
        self._call(lambda server: server.administration.faults().end(fault_id))

    def clear(self) -> None:
        """Clear all faults."""
        self._call(lambda server: server.administration.faults().clear())
