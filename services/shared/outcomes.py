"""How the handling of a message can end, other than well."""

from __future__ import annotations


class PermanentFailure(Exception):
    """Another delivery would end the same way: the message is dead-lettered at once.

    ``reason`` is a short word for machines and alerts; ``description`` tells a person what to mend.
    """

    def __init__(self, reason: str, description: str) -> None:
        super().__init__(f"{reason}: {description}")
        self.reason = reason
        self.description = description


class TransientFailure(Exception):
    """Another delivery may succeed: the message is abandoned until its queue's delivery count is spent."""
