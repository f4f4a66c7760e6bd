"""Message sessions: one receiver at a time, in order, with a state that outlives the messages (S-58 to S-63).

Nothing here knows whether the entity is a queue or a subscription; the entity keeps the messages and their locks.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Collection, Iterable, Sequence
from typing import Protocol

from peeklock.servicebus.entity_settings import EntitySettings
from peeklock.servicebus.ledger import EventKind

from .clock import Clock
from .consumer import Consumer
from .errors import (
    ArgumentError,
    BrokerError,
    NotAllowed,
    SessionCannotBeLocked,
    SessionLockLost,
    SessionTimeout,
)
from .line import ReadyLine
from .locks import LockTable
from .log import MessageLog
from .message import Content, Message
from .timers import Timer

DEFAULT_PATIENCE = 65.0
"""How many seconds a receiver waits for the next available session unless it says otherwise (S-59)."""
MAX_SESSION_ID = 128
_FEW = 64


class SessionConsumer(Consumer):
    """A receiver that holds one session, or waits for one."""

    __slots__ = ()

    def session_accepted(self, session_id: str, locked_until: float) -> None:
        """The session is locked for this receiver until then (epoch seconds)."""
        raise NotImplementedError

    def session_refused(self, error: BrokerError) -> None:
        """No session came in time; the entity has forgotten this receiver."""
        raise NotImplementedError

    def session_lock_lost(self, error: BrokerError) -> None:
        """The session's lock was not renewed in time; the entity has forgotten this receiver (S-61)."""
        raise NotImplementedError


class MessageSession:
    """One session of one entity."""

    __slots__ = ("holder", "id", "line", "locked", "locked_until", "state", "state_set_at")

    def __init__(self, session_id: str) -> None:
        self.id = session_id
        self.line = ReadyLine()
        self.locked: dict[int, Message] = {}
        """The messages that the holder has, by sequence number."""
        self.holder: SessionConsumer | None = None
        self.locked_until = 0.0
        self.state: bytes | None = None
        self.state_set_at = 0.0


class Server(Protocol):
    """Serves the holders of sessions."""

    def add(self, consumer: Consumer) -> None:
        """List a receiver that has a session now."""

    def serve(self, session: MessageSession, now: float) -> None:
        """Hand the session's ready messages to its holder, in order."""


class Locks(Protocol):
    """Knows the locks of the messages that a holder has."""

    def take_back(self, message: Message, now: float, *, failed: bool) -> None:
        """End a message's lock; a failed delivery counts (S-49)."""


class Sessions:
    """The sessions of one entity: which are held, which are available, who waits. Costs are O(1) or O(log n)."""

    def __init__(
        self, server: Server, locks: Locks, log: MessageLog, settings: EntitySettings, clock: Clock, timer: Timer
    ) -> None:
        self.settings = settings
        self._server = server
        self._locks = locks
        self._log = log
        self._now = clock.now
        self._timer = timer
        self._sessions: dict[str, MessageSession] = {}
        self._changed: dict[str, MessageSession] = {}
        self._available: OrderedDict[str, MessageSession] = OrderedDict()
        self._held: LockTable[str, MessageSession] = LockTable()
        self._by_holder: dict[Consumer, MessageSession] = {}
        self._waiting: OrderedDict[Consumer, tuple[SessionConsumer, float, float]] = OrderedDict()
        self._deadlines: list[tuple[float, int, Consumer]] = []
        self._count = 0

    # -- messages, as the entity tells of them

    @staticmethod
    def check(contents: Sequence[Content]) -> None:
        """Raise `NotAllowed` or `ArgumentError` for a message that no session can take (S-60, S-63)."""
        for content in contents:
            session_id = content.session_id
            if session_id is None:
                raise NotAllowed(
                    "The SessionId was not set on a message, and it cannot be sent to the entity. Entities that have "
                    "session support enabled can only receive messages that have the SessionId set to a valid value."
                )
            if len(session_id) > MAX_SESSION_ID:
                raise ArgumentError(f"A session id has at most {MAX_SESSION_ID} characters, not {len(session_id)}.")
            key = content.partition_key
            if key is not None and key != session_id:
                raise ArgumentError(
                    f"The partition key '{key}' is not the session id '{session_id}': both must be one."
                )

    def add(self, message: Message) -> None:
        """Put a new message at the end of its session."""
        session_id = message.session_id = message.content.session_id or ""
        session = self._open(session_id)
        session.line.append(message)
        self._changed[session_id] = session

    def give_back(self, message: Message) -> None:
        """Put a message that was locked back where it stood."""
        session = self._open(message.session_id or "")
        session.line.give_back(message)
        self._changed[session.id] = session

    def check_held(self, message: Message) -> None:
        """Raise `SessionLockLost` unless somebody holds the session of a message (S-31)."""
        if (message.session_id or "") not in self._held:
            raise SessionLockLost

    def lock(self, message: Message) -> float:
        """Note that the holder has a message now; return until when: as long as the session's own lock (S-61)."""
        session = self._sessions[message.session_id or ""]
        session.locked[message.sequence] = message
        return session.locked_until

    def unlock(self, message: Message) -> None:
        """Note that the holder has settled a message."""
        session = self._sessions.get(message.session_id or "")
        if session is not None:
            session.locked.pop(message.sequence, None)

    def gone(self, message: Message) -> None:
        """Note that a message vanished while nobody held it."""
        session = self._sessions.get(message.session_id or "")
        if session is not None:
            session.line.leave_gap()
            self._tidy(session)

    def pump(self, now: float) -> None:
        """Serve the holders whose sessions have changed, then those who wait for a session."""
        while self._changed:
            session = self._changed.pop(next(iter(self._changed)))
            if session.holder is not None:
                self._server.serve(session, now)
            elif session.line.filled:
                self._available.setdefault(session.id, session)
        while self._waiting and (available := self._next_available()) is not None:
            _, (holder, _, _) = self._waiting.popitem(last=False)
            self._give(available, holder, now)

    # -- receivers

    @property
    def waiting(self) -> Iterable[Consumer]:
        """Receivers for whom there is no session yet."""
        return self._waiting.keys()

    def accept(self, holder: SessionConsumer, session_id: str | None, patience: float | None = None) -> None:
        """Lock a session, or with None the next available one, for a receiver; it is told by `session_accepted`.

        Without an available session the receiver waits `patience` seconds (default 65), then it is told by
        `session_refused`. A named session may be one that nobody has heard of. Raises `SessionCannotBeLocked` (S-59).
        """
        now = self._now()
        if session_id is not None:
            if len(session_id) > MAX_SESSION_ID:
                raise ArgumentError(f"A session id has at most {MAX_SESSION_ID} characters, not {len(session_id)}.")
            if session_id in self._held:
                raise SessionCannotBeLocked(session_id)
            self._give(self._open(session_id), holder, now)
            return
        available = self._next_available()
        if available is not None:
            self._give(available, holder, now)
            return
        patience = DEFAULT_PATIENCE if patience is None else patience
        deadline = now + patience
        self._waiting[holder] = (holder, deadline, patience)
        self._count += 1
        heapq.heappush(self._deadlines, (deadline, self._count, holder))
        if len(self._deadlines) > _FEW and len(self._deadlines) > 2 * len(self._waiting):
            self._deadlines = [entry for entry in self._deadlines if self._still_waits(entry)]
            heapq.heapify(self._deadlines)
        self._timer.arm(deadline)

    def leave(self, holder: Consumer) -> None:
        """A receiver has gone: its session is free at once, and its messages return uncounted (S-49, S-62)."""
        self._waiting.pop(holder, None)
        session = self._by_holder.pop(holder, None)
        if session is None:
            return
        now = self._now()
        self._held.remove(session.id)
        self._record(now, EventKind.SESSION_RELEASED, session, holder)
        self._free(session, now, failed=False)
        self.pump(now)

    def wake(self, holder: Consumer) -> None:
        """A receiver can take more."""
        session = self._by_holder.get(holder)
        if session is not None and session.line.filled:
            self._server.serve(session, self._now())

    def held(self, session_id: str, container_id: str, link_name: str | None) -> MessageSession:
        """Return a session that a link of this connection holds. Raises `SessionLockLost` (S-31)."""
        session = self._held.get(session_id)
        if session is None or session.holder is None or session.locked_until <= self._now():
            raise SessionLockLost
        if session.holder.container_id != container_id or link_name not in (None, session.holder.link_name):
            raise SessionLockLost
        return session

    def renew(self, session: MessageSession) -> float:
        """Lock a held session, and with it its messages, for another lock duration; return until when (S-61)."""
        now = self._now()
        session.locked_until = now + self.settings.lock_duration
        for message in session.locked.values():
            message.locked_until = session.locked_until
        self._held.add(session.id, session)
        self._record(now, EventKind.SESSION_RENEWED, session, session.holder)
        return session.locked_until

    def set_state(self, session: MessageSession, state: bytes | None) -> None:
        """Keep a state with a session until it is cleared by None (S-62)."""
        session.state = state
        session.state_set_at = self._now()
        if self._log.journal is not None:
            self._log.journal.session_set(session.id, state, session.state_set_at)

    def restore(self, session_id: str, state: bytes, set_at: float) -> None:
        """Take a state that a store has kept, with the epoch second at which it was set."""
        session = self._open(session_id)
        session.state, session.state_set_at = state, set_at

    def states(self) -> list[MessageSession]:
        """List the sessions that have a state."""
        return [session for session in self._sessions.values() if session.state is not None]

    def find(self, session_id: str) -> MessageSession | None:
        """Return a session as it is, without touching it; None when nobody has heard of it."""
        return self._sessions.get(session_id)

    def ids(self, state_set_after: float | None = None) -> list[str]:
        """List the sessions that have messages or a state; with a time (epoch seconds), those whose state was set later."""
        sessions = list(self._sessions.values())
        if state_set_after is None:
            found = [s.id for s in sessions if s.state is not None or s.locked or s.line.filled]
        else:
            found = [s.id for s in sessions if s.state is not None and s.state_set_at > state_set_after]
        return sorted(found)

    # -- time

    def expire_due(self, now: float) -> None:
        """Turn away who has waited long enough, and take back the sessions whose locks are over; `pump` comes after."""
        while self._deadlines and self._deadlines[0][0] <= now:
            entry = heapq.heappop(self._deadlines)
            if self._still_waits(entry):
                holder, _, patience = self._waiting.pop(entry[2])
                holder.session_refused(SessionTimeout(patience))
        while (session := self._held.pop_due(now)) is not None:
            self._lose(session, now)

    def expire(self, now: float, session_ids: Collection[str] | None = None) -> None:
        """Take held sessions back before their time: those, or with None all; `pump` comes after."""
        for session in self._held:
            if session_ids is None or session.id in session_ids:
                self._held.remove(session.id)
                self._lose(session, now)

    def next_due(self) -> float:
        """Return when `expire_due` is needed next, in epoch seconds; infinity when nothing is due."""
        due = self._held.next_due()
        while self._deadlines and not self._still_waits(self._deadlines[0]):
            heapq.heappop(self._deadlines)
        return min(due, self._deadlines[0][0]) if self._deadlines else due

    def purge(self) -> None:
        """Forget all messages and states; who holds a session goes on holding it, empty."""
        self._changed.clear()
        self._available.clear()
        self._sessions = {session.id: session for session in self._held}
        for session in self._sessions.values():
            session.line.clear()
            session.locked.clear()
            session.state = None

    # -- inside

    def _open(self, session_id: str) -> MessageSession:
        session = self._sessions.get(session_id)
        if session is None:
            session = self._sessions[session_id] = MessageSession(session_id)
        return session

    def _give(self, session: MessageSession, holder: SessionConsumer, now: float) -> None:
        self._available.pop(session.id, None)
        session.holder = holder
        session.locked_until = now + self.settings.lock_duration
        self._held.add(session.id, session)
        self._by_holder[holder] = session
        self._record(now, EventKind.SESSION_ACCEPTED, session, holder)
        self._server.add(holder)
        self._timer.arm(session.locked_until)
        holder.session_accepted(session.id, session.locked_until)

    def _lose(self, session: MessageSession, now: float) -> None:
        """Tell the holder of a session that its lock has ended (S-61)."""
        lost = session.holder
        assert lost is not None
        del self._by_holder[lost]
        self._record(now, EventKind.SESSION_LOCK_LOST, session, lost)
        self._free(session, now, failed=True)
        lost.session_lock_lost(SessionLockLost())

    def _free(self, session: MessageSession, now: float, *, failed: bool) -> None:
        session.holder = None
        messages, session.locked = sorted(session.locked.values()), {}
        for message in messages:
            self._locks.take_back(message, now, failed=failed)
        if session.line.filled:
            self._available.setdefault(session.id, session)
        self._tidy(session)

    def _next_available(self) -> MessageSession | None:
        while self._available:
            _, session = self._available.popitem(last=False)
            if session.line.filled:
                return session
            self._tidy(session)
        return None

    def _tidy(self, session: MessageSession) -> None:
        """Forget a session of which nothing is left."""
        if session.holder is not None or session.line.filled:
            return
        self._available.pop(session.id, None)
        if session.state is None:
            self._sessions.pop(session.id, None)
            self._changed.pop(session.id, None)

    def _still_waits(self, entry: tuple[float, int, Consumer]) -> bool:
        waiting = self._waiting.get(entry[2])
        return waiting is not None and waiting[1] == entry[0]

    def _record(self, now: float, event: EventKind, session: MessageSession, holder: Consumer | None) -> None:
        details = {"locked_until": session.locked_until}
        name = None if holder is None else holder.name
        self._log.record_session(now, event, session.id, name, details)
