"""Who may use an entity, and when it was used last."""

from __future__ import annotations

from collections.abc import Callable

from peeklock.servicebus.entity_settings import STATUSES

from .clock import Clock
from .errors import ArgumentError, EntityDisabled, NotAllowed


class Gate:
    """The status of one entity (S-77), and what its kind forbids: `no_sending` and `no_receiving` say why nobody may.

    `changed` is called when the status was set.
    """

    __slots__ = (
        "_changed", "_no_receiving", "_no_sending", "_now",
        "forwards_to", "name", "receivable", "sendable", "status", "used_at",
    )  # fmt: skip

    def __init__(
        self, name: str, clock: Clock, changed: Callable[[], None], no_sending: str = "", no_receiving: str = ""
    ) -> None:
        self.name = name
        self.status = "Active"
        self.receivable = True
        self.sendable = not no_sending
        self.forwards_to: str | None = None
        """Where everything goes that comes in (S-67)."""
        self.used_at = clock.now()
        """When somebody used the entity last, in epoch seconds."""
        self._now = clock.now
        self._changed = changed
        self._no_sending = no_sending
        self._no_receiving = no_receiving

    def touch(self) -> None:
        """Note that somebody uses the entity."""
        self.used_at = self._now()

    def set_status(self, status: str) -> None:
        """Open or close the entity for senders and receivers; messages are kept. Raises `ArgumentError`."""
        if status not in STATUSES:
            raise ArgumentError(f"'{status}' is not a status of an entity: {', '.join(STATUSES)}.")
        self.status = status
        self.receivable = status in ("Active", "SendDisabled")
        self.sendable = status in ("Active", "ReceiveDisabled") and not self._no_sending
        self._changed()

    def admit_sender(self) -> None:
        """Raise what forbids sending here, if anything does: `NotAllowed` or `EntityDisabled` (S-51, S-77)."""
        if self._no_sending:
            raise NotAllowed(self._no_sending)
        if not self.sendable:
            raise EntityDisabled(f"Messaging entity '{self.name}' is currently disabled for sending.")

    def admit_receiver(self) -> None:
        """Raise what forbids receiving from here, if anything does: `NotAllowed` or `EntityDisabled` (S-67, S-77)."""
        if self._no_receiving:
            raise NotAllowed(self._no_receiving)
        if not self.receivable:
            raise EntityDisabled(f"Messaging entity '{self.name}' is currently disabled for receiving.")
        if self.forwards_to is not None:
            raise NotAllowed(
                f"A receiver cannot be created on '{self.name}': it forwards its messages to '{self.forwards_to}'."
            )
