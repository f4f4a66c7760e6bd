"""The faults of an emulator in this process, one method each."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .gateway import Server


class FaultControls:
    """`Emulator.faults`. Each method that begins a fault returns its id; an `entity` of None is the whole namespace, `times`
    of None lasts until the fault is cleared. Raises `TopologyError`, and `BrokerError` for an entity that is not there."""

    def __init__(self, call: Callable[[Callable[[Server], Any]], Any]) -> None:
        self._call = call

    def begin(self, fault: str, entity: str | None = None, **settings: Any) -> str:
        """Begin a fault with the settings that the control API takes."""
        document = {"fault": fault, "entity": entity, **settings}
        return str(self._call(lambda server: server.administration.faults().begin(document).id))

    def drop_settlement(
        self,
        entity: str | None = None,
        *,
        times: int | None = 1,
        settlement: str | None = None,
        message_id: str | None = None,
    ) -> str:
        """Throw settlements away (complete, abandon, defer, dead_letter, release; None: any) though clients are told that
        they were done."""
        return self.begin("drop_settlement", entity, times=times, settlement=settlement, message_id=message_id)

    def deliver_twice(
        self,
        entity: str | None = None,
        *,
        times: int | None = 1,
        after: str = "completed",
        message_id: str | None = None,
    ) -> str:
        """Deliver messages once more: after they were "completed", or while they are locked, once they were "delivered"."""
        return self.begin("deliver_twice", entity, times=times, after=after, message_id=message_id)

    def hold(
        self,
        entity: str | None = None,
        *,
        operation: str = "complete",
        times: int | None = 1,
        message_id: str | None = None,
        then: str = "done",
    ) -> str:
        """Keep operations (a settlement, "send", or the "answer" to a send) undone and unanswered until the fault is cleared;
        then they are "done", or "dropped"."""
        return self.begin("hold", entity, operation=operation, times=times, message_id=message_id, then=then)

    def expire_lock(self, entity: str | None = None, *, message_id: str | None = None) -> str:
        """End locks now."""
        return self.begin("expire_lock", entity, message_id=message_id)

    def server_busy(
        self, entity: str | None = None, *, times: int | None = 1, operations: str = "send,receive,settle,manage"
    ) -> str:
        """Refuse operations with `com.microsoft:server-busy`."""
        return self.begin("server_busy", entity, times=times, operations=operations)

    def detach(
        self, entity: str | None = None, *, condition: str = "amqp:link:detach-forced", links: str = "all"
    ) -> str:
        """Detach links now: "all", "senders" or "receivers"."""
        return self.begin("detach", entity, condition=condition, links=links)

    def close_connection(
        self, entity: str | None = None, *, abrupt: bool = False, condition: str = "amqp:connection:forced"
    ) -> str:
        """Close the connections of an entity's clients now, or all; `abrupt` without a word."""
        return self.begin("close_connection", entity, abrupt=abrupt, condition=condition)

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
