"""What the client raises."""

from __future__ import annotations

from peeklock.errors import PeeklockError


class ServiceBusError(PeeklockError):
    """Service Bus refused something: its condition (`amqp:not-found`, `com.microsoft:message-lock-lost` …) and words."""

    def __init__(self, condition: str, description: str) -> None:
        super().__init__(f"{condition}: {description}")
        self.condition = condition
        self.description = description
