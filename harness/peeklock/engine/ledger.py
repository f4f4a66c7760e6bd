"""The history of every message of a case, folded from the ledger of the Service Bus."""

from __future__ import annotations

import base64
import binascii
import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, assert_never

from peeklock.servicebus.ledger import AboutMessage, Entry, EventKind, Principal
from peeklock.servicebus.paths import DEAD_LETTER_SUFFIX, TRANSFER_SUFFIX
from peeklock.trace_context import trace_of

SERVICE_RULE = "service-"
"""What the names of the services' own access rules begin with."""

OPEN = frozenset({"active", "locked", "scheduled"})
"""Outcomes of messages to which something is still to happen by itself."""
HELD = OPEN | {"deferred"}
"""Outcomes of messages that their queue holds."""

OUTCOMES = HELD | {
    "cancelled", "completed", "dead_lettered", "deleted", "dropped_as_duplicate", "expired", "forwarded", "published", "purged",
    "transferred",
}  # fmt: skip
"""Everything that can become of a message."""
VIEW_KEYS = (
    "application_properties", "body", "body_type", "content_type", "correlation_id", "dead_letter_description",
    "dead_letter_reason", "deliveries", "enqueued_at", "history", "message_id", "outcome", "queue", "received_as", "receivers",
    "reply_to", "sender", "sent_as", "sequence", "session_id", "settled_at", "subject", "time_to_live", "to", "trace_id",
)  # fmt: skip
"""The keys that `Message.view` may have."""


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
    sent_as: Mapping[str, str] | None = None
    """The identity and the role of its sender, if it sent by these."""
    received_as: list[Mapping[str, str]] = field(default_factory=list)
    """The same of those who had it, for each delivery to an identity."""
    original: Message | None = None
    """Of a message in a dead-letter queue: what it was before."""
    dead_letter: Message | None = None
    """What it is now, in the dead-letter queue."""
    place: int = 0
    """The number of the ledger's entry with which it came to stand where it stands."""

    def happen(self, entry: Entry, outcome: str) -> None:
        """Note an event, and what has become of the message with it."""
        self.history.append(entry.event.value)
        self.outcome = outcome
        if outcome not in OPEN:
            self.settled_at = entry.at

    def hear(self, entry: Entry, told: AboutMessage) -> None:
        """Take over what an entry tells of the message."""
        event = entry.event
        if told.content is not None and told.content.sender:
            sender = Principal.read(told.content.sender)
            self.sender = service_of(sender.name)
            self.sent_as = {"identity": sender.identity, "role": sender.role} if sender.role else None
        if event in (EventKind.DELIVERED, EventKind.RECEIVED_AND_DELETED):
            self.deliveries = max(self.deliveries + 1, told.delivery)
            receiver = Principal.read(told.consumer or "")
            self.receivers.append(receiver.name.removeprefix(SERVICE_RULE))
            if receiver.role:
                self.received_as.append({"identity": receiver.identity, "role": receiver.role})
        if (
            event is EventKind.RELEASED
        ):  # given back unseen, as azure-servicebus does between two calls: it does not count
            self.deliveries = max(0, self.deliveries - 1)
        if event is EventKind.ACTIVATED:
            self.enqueued_at = entry.at
        if event in (EventKind.DEAD_LETTERED, EventKind.TRANSFER_DEAD_LETTERED):
            self.reason, self.description = entry.reason, entry.details.get("description")

    @property
    def trace_id(self) -> str | None:
        """The trace that its sender wrote into it; None where there is none."""
        found = trace_of(self.facts.get("application_properties") or {})
        return None if found is None else found[0]

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
            "sent_as": self.sent_as,
            "received_as": self.received_as or None,
            "trace_id": self.trace_id,
        }
        return {key: value for key, value in shown.items() if value is not None or key == "body"}


class Ledger:
    """Reads entries from an environment and folds them into messages.

    `pull(after)` returns the entries after a cursor, and the new cursor; `cursor` is where the case begins.
    """

    def __init__(self, pull: Callable[[int], tuple[list[Entry], int]], cursor: int) -> None:
        self._pull, self._cursor = pull, cursor
        self._messages: dict[int, Message] = {}
        """All there were, by the number of the entry that put them where they stand."""
        self._of_queue: defaultdict[str, dict[int, Message]] = defaultdict(dict)
        """The same of each queue."""
        self._open: defaultdict[str, dict[int, Message]] = defaultdict(dict)
        """Those of them to which something is still to happen by itself."""
        self._receivers: defaultdict[str, set[str]] = defaultdict(set)
        self._known: dict[tuple[str, int], Message] = {}
        """The newest of each entity and sequence number."""
        self.entries: list[Entry] = []

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
        return iter(list(self._of_queue[queue].values()))

    def open(self, queue: str) -> list[Message]:
        """Return the messages of a queue to which something is still to happen by itself, in the order in which they came."""
        return [message for _, message in sorted(self._open[queue].items())]

    def all(self) -> list[Message]:
        """Return every message of every queue."""
        return list(self._messages.values())

    def receivers(self, queue: str) -> set[str]:
        """Return the services that have received from a queue; whoever is none by the rule that it signed with."""
        return set(self._receivers[queue])

    def _fold(self, entry: Entry) -> None:
        self.entries.append(entry)
        if entry.consumer:
            self._receivers[entry.entity].add(consumer_of(entry.consumer))
        if entry.event is EventKind.PURGED:
            for message in self.messages(entry.entity):
                if message.outcome in HELD:
                    self._happen(message, entry, "purged")
        told = entry.message
        if told is None or entry.event is EventKind.FAULT:
            return
        message = self._find(entry, told)
        self._happen(message, entry, _outcome(entry.event, message))
        message.hear(entry, told)

    def _happen(self, message: Message, entry: Entry, outcome: str) -> None:
        message.happen(entry, outcome)
        if outcome in OPEN:
            self._open[message.queue][message.place] = message
        else:
            self._open[message.queue].pop(message.place, None)

    def _place(self, message: Message, number: int) -> None:
        """Have a message stand where an entry has put it."""
        for standing in (self._messages, self._of_queue[message.queue], self._open[message.queue]):
            standing.pop(message.place, None)
        message.place = number
        self._messages[number] = self._of_queue[message.queue][number] = message

    def _find(self, entry: Entry, told: AboutMessage) -> Message:
        key = (entry.entity, told.sequence)
        waited = self._known.pop((entry.entity, entry.details.get("scheduled_sequence", 0)), None)
        if waited is not None:  # it has a new number now that its time has come (Service Bus semantics S-54)
            waited.sequence = told.sequence
            self._place(waited, entry.number)
            self._known[key] = waited
            return waited
        known = self._known.get(key)
        if known is not None and told.content is None:
            return known
        facts = {"message_id": told.message_id} if told.content is None else told.content.facts()
        message = Message(entry.entity, told.sequence or None, facts, enqueued_at=entry.at)
        self._place(message, entry.number)
        if told.sequence:
            self._known[key] = message
        self._join_dead_letter(message, entry)
        return message

    def _join_dead_letter(self, message: Message, entry: Entry) -> None:
        if not message.queue.endswith(DEAD_LETTER_SUFFIX):
            return
        source = message.queue.removesuffix(DEAD_LETTER_SUFFIX).removesuffix(TRANSFER_SUFFIX)
        original = self._known.get((source, entry.details.get("dead_letter_source", 0)))
        if original is not None:
            message.original, original.dead_letter = original, message
            message.reason, message.description = original.reason, original.description


def _outcome(event: EventKind, message: Message) -> str:
    """Return what has become of a message with an event."""
    match event:
        case EventKind.ENQUEUED | EventKind.ACTIVATED:
            return "active"
        case EventKind.SCHEDULED | EventKind.CANCELLED | EventKind.DEFERRED | EventKind.EXPIRED | EventKind.DELETED:
            return event.value
        case EventKind.PUBLISHED | EventKind.FORWARDED | EventKind.TRANSFERRED:
            return event.value
        case EventKind.DELIVERED:
            return "locked"
        case EventKind.COMPLETED | EventKind.RECEIVED_AND_DELETED:
            return "completed"
        case EventKind.ABANDONED | EventKind.RELEASED | EventKind.LOCK_EXPIRED | EventKind.TAKEN_BACK:
            # what was deferred once is received by its number only (Service Bus semantics S-48)
            return "deferred" if "deferred" in message.history else "active"
        case EventKind.DEAD_LETTERED | EventKind.TRANSFER_DEAD_LETTERED:
            return "dead_lettered"
        case EventKind.DUPLICATE_DROPPED:
            return "dropped_as_duplicate"
        case EventKind.RENEWED | EventKind.FAULT:
            return message.outcome
        case (
            EventKind.SESSION_ACCEPTED
            | EventKind.SESSION_RENEWED
            | EventKind.SESSION_RELEASED
            | EventKind.SESSION_LOCK_LOST
            | EventKind.PURGED
            | EventKind.DELETED_ON_IDLE
            | EventKind.TRANSACTION_COMMITTED
            | EventKind.TRANSACTION_ROLLED_BACK
            | EventKind.TOKEN_RENEWED
            | EventKind.ACCESS_REFUSED
        ):
            raise AssertionError(f"{event} is not about a message")
        case _:
            assert_never(event)


def service_of(rule: str) -> str | None:
    """Return the service whose own access rule this is, or whose replica's; None for a rule of somebody else, as of the test."""
    return rule.removeprefix(SERVICE_RULE).partition(".")[0] if rule.startswith(SERVICE_RULE) else None


def consumer_of(principal: str) -> str:
    """Return the service that receives by a principal; whoever is none by the rule that it signed with."""
    name = Principal.read(principal).name
    return service_of(name) or name


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
