"""Entities that have no name of their own."""

from __future__ import annotations

DEAD_LETTER_SUFFIX = "/$deadletterqueue"
"""Behind the path of a queue or a subscription: its dead-letter queue."""
TRANSFER_SUFFIX = "/$transfer"
"""Before `DEAD_LETTER_SUFFIX`: what could not be forwarded on the way to another entity."""
