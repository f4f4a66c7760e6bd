"""The messages that move an item on, written as v0.2.1 has them and read as either version does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from azure.servicebus import ServiceBusReceivedMessage

from services.opal.contracts import EXPORT_MESSAGE, JOB_MESSAGE
from services.shared.contracts import Contract, ContractViolationError
from services.shared.message_body import body_of
from services.shared.outcomes import PermanentFailure
from services.shared.publisher import Publisher


@dataclass(frozen=True, slots=True)
class ItemKey:
    """Which item a message is about."""

    tenant_id: str
    job_id: str
    item_id: str

    @property
    def facts(self) -> dict[str, Any]:
        """The three, for a log line or a message."""
        return {"tenant_id": self.tenant_id, "job_id": self.job_id, "item_id": self.item_id}


async def send_job_message(publisher: Publisher, key: ItemKey) -> None:
    """Have the orchestrator work on an item. Raises ``PublishError``; sending again is safe: the item's id is the message's."""
    body = JOB_MESSAGE.check({"kind": "opal-job", **key.facts})
    await publisher.send(body, message_id=key.item_id, subject="opal-job")


async def send_export_message(publisher: Publisher, key: ItemKey) -> None:
    """Have a completed item exported. Raises ``PublishError``; sending again is safe: the item's id is the message's."""
    body = EXPORT_MESSAGE.check({"kind": "opal-export", **key.facts})
    await publisher.send(body, message_id=key.item_id, subject="opal-export")


def read_job_message(message: ServiceBusReceivedMessage) -> ItemKey:
    """Return the item; raise ``PermanentFailure`` for what is outside the contract."""
    body = _read(message, JOB_MESSAGE)
    # v0.2 called them otherwise; its messages may still be in the queue, or come back from the dead letters.
    if "item" in body:
        return ItemKey(body["tenant"], body["job"], body["item"])
    return ItemKey(body["tenant_id"], body["job_id"], body["item_id"])


def read_export_message(message: ServiceBusReceivedMessage) -> ItemKey:
    """Return the item; raise ``PermanentFailure`` for what is outside the contract."""
    body = _read(message, EXPORT_MESSAGE)
    return ItemKey(body["tenant_id"], body["job_id"], body["item_id"])


def _read(message: ServiceBusReceivedMessage, contract: Contract) -> dict[str, Any]:
    try:
        return contract.parse(body_of(message))
    except ContractViolationError as error:
        raise PermanentFailure("ContractViolation", str(error)) from error
