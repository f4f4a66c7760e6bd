"""What peeking tells of the messages of queues: that they came, that they are there, that they are gone.

It is no history: a message that came and went between two looks was not seen, nobody knows who had it, and one that is gone
may have been completed, or received and deleted.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import replace

from peeklock.servicebus import Client, ReceivedMessage
from peeklock.servicebus.ledger import AboutMessage, Entry, EventKind, Told
from peeklock.servicebus.paths import DEAD_LETTER_SUFFIX

_PAGE = 250
_PAUSE = 0.25
"""Seconds between two looks while somebody waits."""


class Observed:
    """The queues of one environment. Thread-safe. Raises `ServiceBusError` and `OSError`."""

    def __init__(self, client: Client, names: Mapping[str, str]) -> None:
        """`names`: what each queue is called in the namespace, by its name in the file."""
        self._client, self._names = client, names
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._entries: list[Entry] = []
        self._there: dict[str, dict[int, ReceivedMessage]] = {}

    def entries(self, after: int, wait: float) -> tuple[list[Entry], int]:
        """Entries after the cursor `after`, after a look, and the new cursor; at most `wait` seconds for the first."""
        deadline = time.monotonic() + wait
        while True:
            with self._lock:
                self._look()
                found = self._entries[after:]
            left = deadline - time.monotonic()
            if found or left <= 0 or self._closed.wait(min(_PAUSE, left)):
                return found, after + len(found)

    def counts(self) -> list[dict[str, object]]:
        """Counts by queue, as the control API of an emulator has them; nobody can tell of receivers."""
        with self._lock:
            self._look()
            return [
                {
                    "name": queue, "receivers": [], "consumers": [], "locked": 0,
                    **{state: self._in(queue, state) for state in ("active", "scheduled", "deferred")},
                    "dead_letter": len(self._there[queue + DEAD_LETTER_SUFFIX]),
                }
                for queue in self._names
            ]  # fmt: skip

    def _in(self, queue: str, state: str) -> int:
        return sum(1 for message in self._there[queue].values() if message.state == state)

    def forget(self) -> int:
        """Begin anew with what is there now; the cursor of it."""
        with self._lock:
            self._look()
            return len(self._entries)

    def empty(self) -> bool:
        """Look whether nothing is in any queue."""
        with self._lock:
            self._look()
            return not any(self._there.values())

    def close(self) -> None:
        self._closed.set()
        self._client.close()

    def _look(self) -> None:
        for queue, name in self._names.items():
            before = self._there.get(queue, {}), self._there.get(queue + DEAD_LETTER_SUFFIX, {})
            now = self._peek(name), self._peek(name + DEAD_LETTER_SUFFIX)
            self._there[queue], self._there[queue + DEAD_LETTER_SUFFIX] = now
            new_dead = [message for number, message in now[1].items() if number not in before[1]]
            for number, message in now[0].items():
                if number not in before[0]:
                    self._came(queue, message)
            for number, message in before[0].items():
                if number not in now[0]:
                    self._went(queue, message, new_dead)
            for message in new_dead:
                if message.message_id not in {each.message_id for each in before[0].values()}:
                    self._was_unseen(queue, message)
                self._came(queue + DEAD_LETTER_SUFFIX, message)
            for number, message in before[1].items():
                if number not in now[1]:
                    self._note(queue + DEAD_LETTER_SUFFIX, EventKind.DELETED, message)

    def _peek(self, name: str) -> dict[int, ReceivedMessage]:
        found: dict[int, ReceivedMessage] = {}
        while page := self._client.peek(name, _PAGE, max(found, default=-1) + 1):
            found |= {message.sequence_number: message for message in page}
            if len(page) < _PAGE:
                break
        return found

    def _came(self, queue: str, message: ReceivedMessage) -> None:
        kind = EventKind.SCHEDULED if message.state == "scheduled" else EventKind.ENQUEUED
        self._note(
            queue, kind, message, Told({"message_id": message.message_id, "correlation_id": message.correlation_id})
        )

    def _went(self, queue: str, message: ReceivedMessage, dead: list[ReceivedMessage]) -> None:
        letter = next((each for each in dead if each.message_id == message.message_id), None)
        if letter is None:
            self._note(queue, EventKind.DELETED, message)
        else:
            told = {"reason": letter.dead_letter_reason, "description": letter.dead_letter_error_description}
            self._note(queue, EventKind.DEAD_LETTERED, message, details=told)

    def _was_unseen(self, queue: str, letter: ReceivedMessage) -> None:
        """It came and was given up between two looks; nobody knows its number, so it gets one that no message has."""
        told = {"reason": letter.dead_letter_reason, "description": letter.dead_letter_error_description}
        unseen = replace(letter, sequence_number=-letter.sequence_number)
        self._came(queue, unseen)
        self._note(queue, EventKind.DEAD_LETTERED, unseen, details=told)

    def _note(
        self, queue: str, kind: EventKind, message: ReceivedMessage, content: Told | None = None,
        details: Mapping[str, object] | None = None,
    ) -> None:  # fmt: skip
        about = AboutMessage(message.sequence_number, message.message_id, message.delivery_count + 1, None, content)
        self._entries.append(Entry(len(self._entries) + 1, time.time(), queue, kind, about, details or {}))
