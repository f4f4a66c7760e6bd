"""Whoever receives from an entity."""

from __future__ import annotations

from typing import Any

from .message import Message


def consumer_name(principal: str, container_id: str, link_name: str) -> str:
    """Return what the ledger calls a receiver."""
    return f"{principal}@{container_id}/{link_name}"


def principal_of(consumer: str) -> str:
    """Return who receives, of what the ledger calls a receiver."""
    return consumer.partition("@")[0]


class Consumer:
    """A receiver as the broker sees it; the gateway's links derive from it.

    `peek_lock` False means receive-and-delete. `name` is "<principal>@<container id>/<link name>", the principal being the
    access rule that it signed with.
    """

    __slots__ = ("client_id", "container_id", "link_name", "name", "peek_lock", "waiting")

    def __init__(
        self, container_id: str, link_name: str, *, peek_lock: bool, client_id: str | None = None, principal: str = ""
    ) -> None:
        self.container_id = container_id
        self.link_name = link_name
        self.client_id = client_id
        self.name = consumer_name(principal, container_id, link_name)
        self.peek_lock = peek_lock
        self.waiting = False
        """True while the entity keeps this consumer among those to be served."""

    def facts(self) -> dict[str, Any]:
        """Tell of it as the control API does."""
        return {"link": self.link_name, "container_id": self.container_id, "client_id": self.client_id}

    @property
    def ready(self) -> bool:
        """True when one more message may be handed over now."""
        raise NotImplementedError

    def deliver(self, message: Message) -> None:
        """Take a message: locked for this consumer, or already removed."""
        raise NotImplementedError
