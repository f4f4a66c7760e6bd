"""How the handling of a message can end."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Outcome:
    """How it has ended, for metrics: ``completed``, ``abandoned``, ``dead_lettered``, ``lock_lost`` or a handler's own word."""

    word: str = "unsettled"
    reason: str | None = None


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
