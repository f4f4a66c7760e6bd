"""A queue, a dead-letter queue, and what every entity is wired of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from peeklock.servicebus.entity_settings import EntitySettings
from peeklock.servicebus.ledger import EventKind, Ledger
from peeklock.servicebus.paths import DEAD_LETTER_SUFFIX

from .clock import Clock
from .dead_lettering import DeadLettering, DeadLetterQueue
from .dispatch import Dispatch
from .duplicates import DuplicateHistory
from .errors import MessageNotFound
from .forwarding import Forwarder, Target
from .gate import Gate
from .inbox import Inbox, QueueInbox
from .intake import Intake
from .interference import Interference
from .locks import LockTable
from .log import MessageLog
from .message import ACTIVE, DEFERRED, LOCKED, LOCKED_DEFERRED, Content, Message
from .partitions import Partitions
from .session import Sessions
from .settlement import Settlement
from .timers import Timers


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all entities of a namespace share."""

    clock: Clock
    ledger: Ledger
    timers: Timers


@dataclass(frozen=True, slots=True)
class Kind:
    """What sets entities of a kind apart; `no_sending` and `no_receiving` say why nobody may (`{}` is the entity's name)."""

    name: str
    no_sending: str = ""
    no_receiving: str = ""
    has_dead_letters: bool = True


QUEUE = Kind("Queue")
DEAD_LETTER_QUEUE = Kind("Queue", "You cannot send to a dead-letter queue: '{}'.", has_dead_letters=False)


class Queue:
    """One queue and, unless it is one itself, its dead-letter queue.

    Senders come through `gate` to `intake`, receivers through `gate` to `dispatch`, which locks what it hands out; `settlement` ends
    the locks; `log` holds the messages. `inherits` tells whether a message stays in the partition in which it was (None: there are
    partitions where the settings say so); `inbox` makes the place to which messages come, when that is not the end of the queue.
    """

    def __init__(
        self,
        name: str,
        settings: EntitySettings,
        surroundings: Surroundings,
        kind: Kind = QUEUE,
        *,
        inherits: bool | None = None,
        inbox: Callable[[Queue], Inbox] | None = None,
    ) -> None:
        clock, timer = surroundings.clock, surroundings.timers.timer(self.expire_due, self._next_due)
        self.name = name
        self.settings = settings
        self.kind = kind.name
        self.is_dead_letter = kind is DEAD_LETTER_QUEUE
        self.faults: Interference | None = None
        self.intake: Intake
        self.transfer_dead_letters: Queue | None = None
        self.dead_letters: Queue | None = None
        if inherits is None and settings.partitioned:
            inherits = self.is_dead_letter
        if kind.has_dead_letters:
            below = None if inherits is None else True
            self.dead_letters = Queue(
                name + DEAD_LETTER_SUFFIX, settings, surroundings, DEAD_LETTER_QUEUE, inherits=below
            )
        window = None if self.is_dead_letter else settings.duplicate_detection_window
        history = None if window is None else DuplicateHistory(window)
        partitions = None if inherits is None else Partitions(inherits=inherits, by_message_id=window is not None)

        self._clock = clock
        self._locks: LockTable[bytes, Message] = LockTable()
        self.log = MessageLog(name, surroundings.ledger, timer, partitions)
        self.gate = Gate(
            name, clock, self._status_changed, kind.no_sending.format(name), kind.no_receiving.format(name)
        )
        dead_letters: DeadLetterQueue | None = None if self.dead_letters is None else self.dead_letters.intake
        self._dead_lettering = DeadLettering(self.log, settings, dead_letters)
        self.dispatch = Dispatch(self.log, self._locks, self._dead_lettering, self.gate, settings, clock, timer)
        self.settlement = Settlement(self.log, self._locks, self.dispatch, self._dead_lettering, settings, clock)
        self.sessions: Sessions | None = None
        if settings.requires_session and not self.is_dead_letter:
            self.sessions = Sessions(self.dispatch, self.settlement, self.log, settings, clock, timer)
            self.dispatch.divide(self.sessions)
        place = (
            QueueInbox(self.log, self.dispatch, settings, mortal=not self.is_dead_letter)
            if inbox is None
            else inbox(self)
        )
        self.intake = Intake(
            kind.name,
            self.log,
            place,
            self.gate,
            self.dispatch,
            self._dead_lettering,
            history,
            settings,
            clock,
            self.stored_bytes,
        )

    def reconfigure(self, settings: EntitySettings) -> None:
        """Take new settings, the dead-letter queues too: they hold for what comes, and what is stored keeps its deadlines. Whether
        there are sessions, and a duplicate history, is settled when an entity is made (S-57)."""
        self.settings = settings
        self.intake.configure(settings)
        for part in (self.dispatch, self.settlement, self._dead_lettering, self.sessions):
            if part is not None:
                part.settings = settings
        for below in (self.dead_letters, self.transfer_dead_letters):
            if below is not None:
                below.reconfigure(settings)

    def forward_to(self, target: str | None, find: Callable[[str], Target], source: str | None = None) -> None:
        """Pass everything on to the entity of that name, or with None no more (S-67, S-68). `source` is for a dead-letter queue: the
        entity whose dead letters they are."""
        self.dispatch.forward = None
        if target is not None:
            forwarder = Forwarder(
                self.log,
                self.dispatch,
                self._dead_lettering,
                self.gate,
                target,
                find,
                self._clock,
                dead_letter_source=source,
            )
            self.dispatch.forward = forwarder.run
        self.gate.forwards_to = None if self.is_dead_letter else target

    def parts(self) -> list[Queue]:
        """Return the queue itself and the dead-letter queues that hang on it."""
        return [part for part in (self, self.dead_letters, self.transfer_dead_letters) if part is not None]

    def last_used(self) -> float | None:
        """Return when somebody used the entity last, in epoch seconds; None while it is in use (S-87)."""
        parts = self.parts()
        if any(part.dispatch.consumers for part in parts) or self.log.scheduled:
            return None
        return max(part.gate.used_at for part in parts)

    def stored_bytes(self) -> int:
        """Return how much of the entity's quota is used (S-66)."""
        return self.log.size_in_bytes

    # -- messages

    def send(self, contents: Sequence[Content]) -> None:
        """Take messages in order, all or none (S-65). Raises as `Intake.check` does."""
        self.intake.send(contents)

    def peek(self, start: int, count: int, session_id: str | None = None) -> list[Message]:
        """Return up to `count` messages from sequence number `start` on, whatever their state, of all sessions or of
        one; changes nothing (S-55)."""
        found: list[Message] = []
        for message in self.log.scan(start):
            if len(found) >= count:
                break
            if session_id is None or message.content.session_id == session_id:
                found.append(message)
        return found

    def receive_deferred(
        self, numbers: Sequence[int], consumer: str | None, *, peek_lock: bool, session_id: str | None = None
    ) -> list[Message]:
        """Take deferred messages (of that session) by sequence number, all or none (S-48). Raises `MessageNotFound`,
        `SessionLockLost` for a session that nobody holds (S-31), and `EntityDisabled` (S-77)."""
        if not self.gate.receivable:
            self.gate.admit_receiver()
        self.expire_due()
        found: list[Message] = []
        for number in numbers:
            message = self.log.get(number)
            if (
                message is None
                or message.state is not DEFERRED
                or message in found
                or session_id not in (None, message.session_id)
            ):
                raise MessageNotFound(
                    f"Failed to lock one or more specified messages. The message with sequence number {number} does not exist "
                    "or is not deferred."
                )
            if self.dispatch.sessions is not None:
                self.dispatch.sessions.check_held(message)
            found.append(message)
        now = self._clock.now()
        for message in found:
            if peek_lock:
                self.dispatch.lock(message, consumer, LOCKED_DEFERRED, now)
            else:
                self.dispatch.remove_for(message, consumer, now)
        return found

    def delete(self, count: int, enqueued_before: float, session_id: str | None = None) -> int:
        """Delete the oldest messages, at most `count`, that were enqueued before a moment (epoch seconds) and that
        nobody has locked; return how many went (S-28)."""
        self.expire_due()
        now = self._clock.now()
        chosen: list[Message] = []
        for message in self.log.scan(0):
            if len(chosen) >= count:
                break
            if message.state is not ACTIVE or message.enqueued_at >= enqueued_before:
                continue
            if session_id is None or message.session_id == session_id:
                chosen.append(message)
        for message in chosen:
            self.log.record(now, EventKind.DELETED, message)
            self.log.drop(message)
            self.dispatch.leave_gap(message)
        return len(chosen)

    def purge(self) -> int:
        """Drop every message and the duplicate history; receivers keep their credit. Returns how many went."""
        count = self.log.clear(self._clock.now())
        self._locks.clear()
        self.dispatch.clear()
        if self.intake.history is not None:
            self.intake.history.clear()
        return count

    def restore(self, messages: Sequence[Message], next_sequence: int, history: Sequence[tuple[str, float]]) -> None:
        """Take what a store has kept, messages by their numbers and the duplicate history by age, into an entity that is new.
        Locks hold on, but those of a session, whose holder has gone with its connection (S-46, S-49)."""
        if self.intake.history is not None:
            self.intake.history.restore(history)
        if self.sessions is not None:
            for message in messages:
                message.session_id = message.content.session_id or ""
                if message.state in (LOCKED, LOCKED_DEFERRED):
                    details = {"reason": "Restarted"}
                    self.log.record(self._clock.now(), EventKind.RELEASED, message, message.consumer, details)
                    message.state = DEFERRED if message.deferred else ACTIVE
        self.log.restore(messages, next_sequence)
        for message in sorted(messages):
            self.dispatch.restore(message)

    # -- time

    def expire_due(self) -> None:
        """Do what the clock asks for: lost locks, scheduled messages, messages past their time to live."""
        now = self._clock.now()
        self.settlement.expire_due(now)
        self.intake.activate_due(now)
        self.dispatch.expire_due(now)
        self.dispatch.pump()

    def _next_due(self) -> float:
        due = min(self._locks.next_due(), self.log.next_due())
        return due if self.sessions is None else min(due, self.sessions.next_due())

    def _status_changed(self) -> None:
        if self.log.journal is not None:
            self.log.journal.configured()
        if self.gate.receivable:
            self.dispatch.pump()
