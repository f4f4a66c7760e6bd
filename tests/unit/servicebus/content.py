"""The content of messages in tests of the broker's rules."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any


@dataclass
class Body:
    """The smallest content that the broker's rules need."""

    message_id: str = "m"
    session_id: str | None = None
    ttl: float | None = None
    scheduled_at: float | None = None
    size: int = 100
    properties: dict[str, Any] = field(default_factory=dict)
    sender: str | None = None
    partition_key: str | None = None

    def facts(self):
        return {"message_id": self.message_id}

    def flaw(self):
        return None

    def limit_ttl(self, seconds):
        self.ttl = seconds

    def updated(self, properties):
        return replace(self, properties={**self.properties, **properties})
