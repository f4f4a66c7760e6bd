"""A service that throttles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from peeklock.servicebus.settings import TopologyError

from .fault import CountedFault

OPERATIONS = ("send", "receive", "settle", "manage")

if TYPE_CHECKING:
    from peeklock.servicebus.broker import BrokerError


@dataclass(eq=False, kw_only=True)
class ServerBusy(CountedFault):
    """The next `times` operations, or with None all until it is cleared, are refused with `com.microsoft:server-busy`.

    `operations` (with commas between them) says which: `send` is a message or batch, `receive` a receiver that attaches (or
    a REST receive), `settle` a settlement, `manage` a request to `$management`. Receivers that are there go on receiving.
    """

    kind: ClassVar[str] = "server_busy"
    summary: ClassVar[str] = "operations are refused with `com.microsoft:server-busy`"

    operations: str = ",".join(OPERATIONS)

    def check(self) -> None:
        """Raise `TopologyError` for operations that are none."""
        super().check()
        unknown = [name for name in self.chosen if name not in OPERATIONS]
        if unknown or not self.chosen:
            raise TopologyError(f"server_busy.operations is {self.operations!r}", f"use some of {','.join(OPERATIONS)}")

    @property
    def chosen(self) -> list[str]:
        """The names in `operations`."""
        return [name.strip() for name in self.operations.split(",") if name.strip()]

    def refuses(self, operation: str, principal: str) -> BrokerError | None:
        """Throttle it."""
        if operation not in self.chosen or not self.is_due(principal):
            return None
        # here: the language of scenarios reads this class without an emulator (0.03 s)
        from .throttled import Throttled

        return Throttled(
            "The request was terminated because the entity is being throttled. Error code : 50009. "
            "Please wait 2 seconds and try again."
        )
