"""What a receiver's dispositions ask for, done and answered (S-41 to S-45)."""

from __future__ import annotations

from typing import Any

from peeklock.servicebus.amqp import events as ev
from peeklock.servicebus.amqp import frames
from peeklock.servicebus.amqp.errors import INTERNAL_ERROR, AmqpError
from peeklock.servicebus.broker import BrokerError, Queue
from peeklock.servicebus.broker.errors import MessageLockLost
from peeklock.servicebus.broker.settlement import Settlement
from peeklock.servicebus.broker.transaction import Enlisted

from .client_connection import ClientConnection
from .failures import INTERNAL_TEXT


def settle(connection: ClientConnection, event: ev.Outcome) -> None:
    """Do what a receiver's disposition asks for and echo its outcome, unless it came settled (S-41 to S-45)."""
    try:
        if event.context is None:
            raise MessageLockLost
        queue, token = event.context
        if queue.faults is not None:
            settlement = settlement_of(event.code, event.fields)
            if queue.faults.holds_settlement(
                settlement, token, lambda: connection.later(lambda: settle(connection, event))
            ):
                return
        if queue.faults is not None and is_swallowed(queue, token, event.code, event.fields):
            state = echo(event.code, event.fields)
        else:
            state = apply(queue.settlement, token, event.code, event.fields)
    except BrokerError as error:
        connection.context.failures.count(error.condition, event.context[0].name if event.context else "")
        state = frames.rejected(AmqpError(error.condition, error.description))
    except Exception as error:  # noqa: BLE001 -- the client is told, and the log knows where
        connection.context.failures.unforeseen(error, "a settlement")
        state = frames.rejected(AmqpError(INTERNAL_ERROR, INTERNAL_TEXT))
    if not event.settled:
        answer(connection, event, state)


def answer(connection: ClientConnection, event: ev.Outcome, state: bytes) -> None:
    """Tell a receiver what became of its disposition: `state` is encoded."""
    if (session := connection.amqp.sessions.get(event.session)) is not None:
        session.channel.settle_range(event.first, event.last, state)


def is_swallowed(queue: Queue, token: bytes, code: int | None, fields: list[Any]) -> bool:
    """Ask an entity's faults for one settlement. Raises `BrokerError` when it is to fail."""
    assert queue.faults is not None
    message = queue.settlement.locked(token)
    queue.faults.admit("settle", (message and message.consumer) or "")
    return queue.faults.swallows(token, settlement_of(code, fields))


def settlement_of(code: int | None, fields: list[Any]) -> str:
    """Name what an outcome asks for (S-42)."""
    if code == frames.MODIFIED_CODE:
        return "defer" if len(fields) > 1 and fields[1] else "abandon"
    return {frames.ACCEPTED_CODE: "complete", frames.REJECTED_CODE: "dead_letter"}.get(code or 0, "release")


def echo(code: int | None, fields: list[Any]) -> bytes:
    """Return the encoded outcome that tells a receiver that its settlement was done (S-41)."""
    if code == frames.MODIFIED_CODE:
        fields = fields + [None] * (3 - len(fields))
        return frames.modified(bool(fields[0]), bool(fields[1]))
    return {frames.ACCEPTED_CODE: frames.ACCEPTED, frames.REJECTED_CODE: frames.REJECTED}.get(
        code or 0, frames.RELEASED
    )


def apply(at: Settlement | Enlisted, token: bytes, code: int | None, fields: list[Any]) -> bytes:
    """Settle one message by the outcome's code; return the encoded echo. Raises `BrokerError`."""
    if code == frames.ACCEPTED_CODE:
        at.complete(token)
        return frames.ACCEPTED
    if code == frames.MODIFIED_CODE:
        fields = fields + [None] * (3 - len(fields))
        properties = fields[2] if isinstance(fields[2], dict) else None
        if fields[1]:
            at.defer(token, properties)
        else:
            # .NET and Java leave delivery-failed out of an abandon
            at.abandon(token, properties)
        return frames.modified(bool(fields[0]), bool(fields[1]))
    if code == frames.REJECTED_CODE:
        reason, description, others = dead_letter_details(fields)
        at.dead_letter(token, reason, description, others)
        return frames.REJECTED
    at.release(token)
    return frames.RELEASED


def dead_letter_details(fields: list[Any]) -> tuple[str | None, str | None, dict[str, Any]]:
    """Read reason, description and other properties out of a `rejected` outcome (S-42)."""
    failure = fields[0] if fields else None
    values = list(getattr(failure, "value", None) or [])
    values += [None] * (3 - len(values))
    info = {str(key): value for key, value in values[2].items()} if isinstance(values[2], dict) else {}
    reason, description = info.pop("DeadLetterReason", None), info.pop("DeadLetterErrorDescription", None)
    if description is None and values[1]:
        description = values[1]
    if reason is None and values[0] and str(values[0]) != "com.microsoft:dead-letter":
        reason = str(values[0])
    return (None if reason is None else str(reason)), (None if description is None else str(description)), info
