"""What the broker refuses, in Service Bus's own conditions and words."""

from __future__ import annotations

from peeklock.errors import PeeklockError

LOCK_LOST_TEXT = (
    "The lock supplied is invalid. Either the lock expired, or the message has already been removed from the queue."
)


class BrokerError(PeeklockError):
    """A refusal: `condition` as on the wire, `status` as in $management replies (S-30)."""

    condition = "amqp:internal-error"
    status = 500

    def __init__(self, description: str) -> None:
        super().__init__(f"{self.condition}: {description}")
        self.description = description


class MessageLockLost(BrokerError):
    """The lock expired, or the message was settled already (S-44)."""

    condition = "com.microsoft:message-lock-lost"
    status = 410

    def __init__(self, description: str = LOCK_LOST_TEXT) -> None:
        super().__init__(description)


class SessionLockLost(BrokerError):
    """The session is not locked (any more) by the link that asks (S-31, S-61)."""

    condition = "com.microsoft:session-lock-lost"
    status = 410

    def __init__(self) -> None:
        super().__init__("The session lock has expired on the MessageSession. Accept a new MessageSession.")


class SessionCannotBeLocked(BrokerError):
    """Somebody else holds the session (S-59)."""

    condition = "com.microsoft:session-cannot-be-locked"
    status = 410

    def __init__(self, session_id: str) -> None:
        super().__init__(
            f"The requested session '{session_id}' cannot be accepted. It may be locked by another receiver."
        )


class SessionTimeout(BrokerError):
    """No session became available in time (S-59)."""

    condition = "com.microsoft:timeout"
    status = 408

    def __init__(self, patience: float) -> None:
        super().__init__(f"No session became available within {patience:g} s.")


class MessageNotFound(BrokerError):
    """No message has that sequence number in the state that the operation needs (S-28, S-54)."""

    condition = "com.microsoft:message-not-found"
    status = 404


class EntityNotFound(BrokerError):
    """There is no such entity."""

    condition = "amqp:not-found"
    status = 404


class EntityDisabled(BrokerError):
    """The entity's status does not allow the operation (S-77)."""

    condition = "com.microsoft:entity-disabled"
    status = 400


class EntityExists(BrokerError):
    """There is one of that name already (S-28)."""

    condition = "com.microsoft:entity-already-exists"
    status = 409


class NotAllowed(BrokerError):
    """The entity does not take this operation (S-51, S-60)."""

    condition = "amqp:not-allowed"
    status = 400


class ArgumentError(BrokerError):
    """A request with a missing or impossible argument."""

    condition = "com.microsoft:argument-error"
    status = 400


class ArgumentOutOfRange(BrokerError):
    """A number in a request that is too low or too high."""

    condition = "com.microsoft:argument-out-of-range"
    status = 400


class MessageTooLarge(BrokerError):
    """The encoded message is longer than the entity takes (S-64)."""

    condition = "amqp:link:message-size-exceeded"
    status = 403


class HeaderTooLarge(BrokerError):
    """A property, or all of them together, are longer than the service takes (S-38): it has no better words for it, as
    Azure/azure-sdk-for-net#15325 tells."""

    condition = "amqp:internal-error"
    status = 500

    def __init__(self, problem: str) -> None:
        super().__init__(
            f"The service was unable to process the request; please retry the operation. (HeaderSizeExceeded: {problem})"
        )


class QuotaExceeded(BrokerError):
    """The entity is full (S-66)."""

    condition = "amqp:resource-limit-exceeded"
    status = 403


class NotImplementedYet(BrokerError):
    """A part of Service Bus that this emulator does not have yet."""

    condition = "amqp:not-implemented"
    status = 501
