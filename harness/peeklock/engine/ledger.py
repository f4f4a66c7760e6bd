"""The history of every message of a case, folded from the ledger of the Service Bus."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

DEAD_LETTER_SUFFIX = "/$deadletterqueue"

SERVICE_RULE = "service-"
"""What the names of the services' own access rules begin with."""

_OUTCOMES = {
    "enqueued": "active",
    "activated": "active",
    "delivered": "locked",
    "received_and_deleted": "completed",
    "completed": "completed",
    "abandoned": "active",
    "released": "active",
    "lock_expired": "active",
    "deferred": "deferred",
    "dead_lettered": "dead_lettered",
    "expired": "expired",
    "scheduled": "scheduled",
    "cancelled": "cancelled",
    "deleted": "deleted",
    "published": "published",
    "forwarded": "forwarded",
    "duplicate_dropped": "dropped_as_duplicate",
}
OPEN = frozenset({"active", "locked", "scheduled"})
"""Outcomes of messages to which something is still to happen by itself."""


@dataclass
class Message:
    """One message in one queue, and all that happened to it."""

    queue: str
    sequence: int | None
    facts: Mapping[str, Any]
    outcome: str = "active"
    deliveries: int = 0
    reason: str | None = None
    description: str | None = None
    sender: str | None = None
    enqueued_at: float = 0.0
    settled_at: float | None = None
    history: list[str] = field(default_factory=list)
    receivers: list[str] = field(default_factory=list)
    """Who had it, a delivery each: `worker`, or `worker.3` of a service that may have several replicas."""
    original: Message | None = None
    """Of a message in a dead-letter queue: what it was before."""
    dead_letter: Message | None = None
    """What it is now, in the dead-letter queue."""

    def view(self) -> dict[str, Any]:
        """Return what `messages` shows of it; keys without a value are absent."""
        shown: dict[str, Any] = {
            "queue": self.queue,
            "sequence": self.sequence,
            **{key: value for key, value in self.facts.items() if value is not None and not key.startswith("body")},
            "body": body_of(self.facts),
            "body_type": self.facts.get("body_type"),
            "deliveries": self.deliveries if self.original is None else self.original.deliveries,
            "outcome": self.outcome,
            "dead_letter_reason": self.reason,
            "dead_letter_description": self.description,
            "sender": self.sender,
            "enqueued_at": iso(self.enqueued_at),
            "settled_at": iso(self.settled_at) if self.settled_at else None,
            "history": list(self.history),
            "receivers": list(self.receivers),
        }
        return {key: value for key, value in shown.items() if value is not None or key == "body"}


class Ledger:
    """Messages of one case. `pull(after)` reads entries after a cursor; `refresh` folds what is new."""

    def __init__(self, pull: Callable[[int], tuple[list[dict[str, Any]], int]], cursor: int) -> None:
        self._pull, self._cursor = pull, cursor
        self._messages: dict[tuple[str, Any], Message] = {}
        self.entries: list[dict[str, Any]] = []

    @property
    def cursor(self) -> int:
        """Where what was not read yet begins."""
        return self._cursor

    def refresh(self) -> None:
        """Read everything that has happened until now."""
        while True:
            entries, cursor = self._pull(self._cursor)
            if cursor == self._cursor or not entries:
                return
            self._cursor = cursor
            for entry in entries:
                self._fold(entry)

    def messages(self, queue: str) -> Iterator[Message]:
        """Yield the messages of a queue in the order in which they came, those dropped as duplicates included."""
        return (message for message in list(self._messages.values()) if message.queue == queue)

    def all(self) -> list[Message]:
        """Return every message of every queue."""
        return list(self._messages.values())

    def receivers(self, queue: str) -> set[str]:
        """Return the services that have received from a queue; whoever is none by the rule that it signed with."""
        rules = {
            entry["consumer"].partition("@")[0]
            for entry in self.entries
            if entry["queue"] == queue and entry.get("consumer")
        }
        return {service_of(rule) or rule for rule in rules}

    def _fold(self, entry: dict[str, Any]) -> None:
        event, queue = entry["event"], entry["queue"]
        if event == "purged":
            return
        self.entries.append(entry)
        if event in ("fault", "token_renewed") or event.startswith("session_"):
            return  # about what a test has done, or a client that goes on, or who holds a message session: not about a message
        key = (queue, f"n{entry['n']}" if event == "duplicate_dropped" else entry.get("sequence"))
        if event in ("activated", "published") and (
            waited := self._messages.pop((queue, entry.get("scheduled_sequence")), None)
        ):
            # a scheduled message gets a new number when its time has come (Service Bus semantics S-54)
            waited.sequence = entry["sequence"]
            self._messages[key] = waited
        message = self._messages.get(key)
        if message is None:
            facts = entry.get("message") or {"message_id": entry.get("message_id")}
            message = Message(queue, entry.get("sequence"), facts, enqueued_at=entry["at"])
            self._messages[key] = message
            self._join_dead_letter(message, entry)
        message.history.append(event)
        message.outcome = _OUTCOMES.get(event, message.outcome)
        if entry.get("sender"):
            message.sender = service_of(entry["sender"])
        if event in ("delivered", "received_and_deleted"):
            message.deliveries = max(message.deliveries + 1, int(entry.get("delivery") or 0))
            message.receivers.append(str(entry.get("consumer") or "").partition("@")[0].removeprefix(SERVICE_RULE))
        if (
            event == "released"
        ):  # given back unseen, as azure-servicebus does between two calls: the service does not count it
            message.deliveries = max(0, message.deliveries - 1)
        if event == "activated":
            message.enqueued_at = entry["at"]
        if event == "dead_lettered":
            message.reason, message.description = entry.get("reason"), entry.get("description")
        if message.outcome not in OPEN:
            message.settled_at = entry["at"]

    def _join_dead_letter(self, message: Message, entry: dict[str, Any]) -> None:
        if not message.queue.endswith(DEAD_LETTER_SUFFIX):
            return
        source = entry.get("dead_letter_source")
        original = self._messages.get((message.queue.removesuffix(DEAD_LETTER_SUFFIX), source))
        if original is not None:
            message.original, original.dead_letter = original, message
            message.reason, message.description = original.reason, original.description


def service_of(rule: str) -> str | None:
    """Return the service whose own access rule this is, or whose replica's; None for a rule of somebody else, as of the test."""
    return rule.removeprefix(SERVICE_RULE).partition(".")[0] if rule.startswith(SERVICE_RULE) else None


def body_of(facts: Mapping[str, Any]) -> Any:
    """Return a body as JSON where it is JSON, as text where it is text, else as `{"base64": …}`."""
    if "body" in facts:
        return facts["body"]
    try:
        return decode_body(base64.b64decode(facts.get("body_base64") or ""))
    except binascii.Error:
        return None


def decode_body(raw: bytes) -> Any:
    """Return bytes as JSON where they are JSON, as text where they are text, else as `{"base64": …}`."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(raw).decode()}
    try:
        return json.loads(text)
    except ValueError:
        return text


def iso(at: float) -> str:
    """Return seconds since 1970 as a timestamp."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
