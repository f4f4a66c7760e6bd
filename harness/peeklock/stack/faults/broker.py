"""Faults that the emulator makes itself (`peeklock.servicebus.gateway.faults`): here are only the words for them."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from peeklock.stack.faults.fault import Fault, Layer


class BrokerFault(Fault):
    """A fault of the emulator; its settings are those of the control API, but that `entity` is called `queue` here."""

    layer: ClassVar[Layer] = "broker"
    short: ClassVar[str] = "queue"

    queue: str | None = Field(None, description="or topic/Subscriptions/name; absent: the whole namespace")


class DropSettlement(BrokerFault):
    """A settlement is answered with success and not done."""

    kind: ClassVar[str] = "drop_settlement"
    counted: ClassVar[bool] = True
    summary: ClassVar[str] = "a settlement is answered with success and not done: the message comes again"

    settlement: Literal["complete", "abandon", "defer", "dead_letter", "release"] | None = None
    message_id: str | None = None


class DeliverTwice(BrokerFault):
    """A message comes once more than it should."""

    kind: ClassVar[str] = "deliver_twice"
    counted: ClassVar[bool] = True
    summary: ClassVar[str] = "a message comes once more though it was completed, or while its first receiver has it"

    after: Literal["completed", "delivered"] = "completed"
    message_id: str | None = None


class ExpireLock(BrokerFault):
    """Locks end before their time."""

    kind: ClassVar[str] = "expire_lock"
    summary: ClassVar[str] = "locks end now, as if their time were over"

    message_id: str | None = None


class ServerBusy(BrokerFault):
    """Operations are throttled."""

    kind: ClassVar[str] = "server_busy"
    counted: ClassVar[bool] = True
    summary: ClassVar[str] = "operations are refused with com.microsoft:server-busy"

    operations: str = Field("send,receive,settle,manage", description="some of these, with commas")


class Detach(BrokerFault):
    """Links are closed by the service."""

    kind: ClassVar[str] = "detach"
    summary: ClassVar[str] = "links are detached now, with an error"

    condition: str = "amqp:link:detach-forced"
    links: Literal["all", "senders", "receivers"] = "all"


class CloseConnection(BrokerFault):
    """Connections are closed by the service."""

    kind: ClassVar[str] = "close_connection"
    summary: ClassVar[str] = "connections are closed now, or break without a word (`abrupt`)"

    condition: str = "amqp:connection:forced"
    abrupt: bool = False
