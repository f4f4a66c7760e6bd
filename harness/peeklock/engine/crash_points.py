"""Crash points: a service is killed or paused at a moment of its work, which the emulator makes last where it is one of the
queue's, and the relay where it is a commit."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

from peeklock.engine.ledger import Ledger, consumer_of
from peeklock.engine.waiting import Signal
from peeklock.errors import PeeklockError
from peeklock.servicebus.ledger import Entry, EventKind
from peeklock.stack.backend import Environment, HeldCommit, HeldOperation

HELD = ("send", "answer", "complete", "abandon", "defer", "dead_letter", "release")
"""Operations that the emulator keeps, neither done nor answered, until the service is gone: the moment is exact."""
GUARDED = {"delivered": "complete"}
"""Events that a service may outrun: what must not be done before it is gone is held meanwhile."""
_LONGEST = 1.0
"""Seconds after which is looked again though nothing was heard."""


@dataclass(frozen=True)
class CrashAt:
    """A moment: an operation or an event in a queue, perhaps of one message, a commit, or an event in the service's log."""

    queue: str = ""
    on: str = ""
    message_id: str | None = None
    log: str = ""
    nth: int = 1
    """Which of them, counted from the moment in which the point is set."""
    by: str | None = None
    """The service whose operation or message it is; None: anybody's."""
    commit: HeldCommit | None = None

    def __str__(self) -> str:
        if self.commit is not None:
            of = " + ".join(self.commit.changes) or "what it changes"
            done = ", done and not told" if self.commit.done else ""
            return f"its commit of {of}{done}" + (f", number {self.nth}" if self.nth > 1 else "")
        what = f"its log event {self.log}" if self.log else f"{self.on} on {self.queue}"
        return what + (f" by {self.by}" if self.by else "") + (f", number {self.nth}" if self.nth > 1 else "")


@dataclass
class CrashPoint:
    """One that was set, and what became of it."""

    service: str
    at: CrashAt
    restart: bool = True
    pauses: bool = False
    """It is held still instead, and what it was about to do is done when it goes on."""
    longest: float | None = None
    """Seconds after which a paused one goes on by itself."""
    crashed_at: float | None = None
    """Unix seconds when the service was gone, or stood still."""
    trouble: str = ""
    fault: str = ""
    """The id of the fault that holds the operation: another point may hold the next such one."""
    holds_commit: Callable[[], bool] | None = None
    """Of a point at a commit: tells whether it is held."""
    done: threading.Event = field(default_factory=threading.Event)
    """Set when it is over: the service was killed, and runs again if it should; or it is paused."""
    resumed: threading.Event = field(default_factory=threading.Event)

    @property
    def title(self) -> str:
        """What happens, for people."""
        return "pause" if self.pauses else "crash"

    @property
    def then(self) -> Literal["dropped", "done"]:
        """What becomes of what the emulator holds."""
        return "done" if self.pauses else "dropped"

    @property
    def held(self) -> str:
        """The operation that the emulator is to hold."""
        return self.at.on if self.at.on in HELD else GUARDED.get(self.at.on, "")


class CrashPoints:
    """Those of one case. `note(actor, text)` gets what happens; `stopped` holds the services that are down on purpose."""

    def __init__(
        self, environment: Environment, signal: Signal, note: Callable[[str, str], None], stopped: set[str]
    ) -> None:
        self._environment, self._signal, self._note, self._stopped = environment, signal, note, stopped
        self._points: list[CrashPoint] = []
        self._threads: list[threading.Thread] = []
        self._over = threading.Event()
        self._crashing = threading.Lock()
        """No service is killed while it is being started again: two points may be of one."""

    def set(self, point: CrashPoint, ledger: Ledger) -> None:
        """Kill or pause the service when it comes there for the first time from now on. Raises `StackError`."""
        service, at = point.service, point.at
        _, logged = self._environment.services.logs(1 << 62)
        ledger.refresh()
        cursor = ledger.cursor
        release: Callable[[], None] = _nothing
        if operation := point.held:
            held = HeldOperation(at.queue, operation, at.message_id, at.nth, at.by, point.then)
            point.fault, release = self._environment.hold(held)
        elif at.commit is not None:
            asked = replace(at.commit, then=point.then)
            point.holds_commit, release = self._environment.faults.hold_commit(asked)
        self._points.append(point)
        thread = threading.Thread(
            target=self._watch, args=(point, cursor, logged, release), name=f"crash-{service}", daemon=True
        )
        self._threads.append(thread)
        thread.start()

    def of(self, service: str, *, pauses: bool = False) -> CrashPoint | None:
        """Return the newest one of a service."""
        found = (point for point in reversed(self._points) if (point.service, point.pauses) == (service, pauses))
        return next(found, None)

    def resume(self, service: str) -> None:
        """Let a service that was paused at a point go on."""
        for point in self._points:
            if point.pauses and point.service == service and point.crashed_at is not None:
                point.resumed.set()

    @property
    def reached(self) -> int:
        """How many were."""
        return sum(point.crashed_at is not None for point in self._points)

    def end(self) -> None:
        """Take those back that were not reached; returns when services that were killed or paused run again."""
        self._over.set()
        for point in self._points:
            point.resumed.set()
        self._signal.wake()
        for thread in self._threads:
            thread.join()

    def unmet(self) -> list[str]:
        """Return a sentence for each that was not reached, or that came to a bad end."""
        return [
            point.trouble or f"the {point.title} point was never reached: {point.service} at {point.at}"
            for point in self._points
            if point.crashed_at is None or point.trouble
        ]

    def _watch(self, point: CrashPoint, cursor: int, logged: int, release: Callable[[], None]) -> None:
        try:
            if self._await(point, cursor, logged):
                (self._pause if point.pauses else self._crash)(point, release)
            else:
                release()
        except PeeklockError as error:
            point.trouble = f"{point.title} of {point.service} at {point.at}: {error}"
        finally:
            point.done.set()
            self._signal.wake()

    def _await(self, point: CrashPoint, cursor: int, logged: int) -> bool:
        """Return True when the moment has come, False when the case is over first."""
        still = 1 if point.at.on in HELD else point.at.nth  # of what is held, the emulator counts
        while True:
            seen = self._signal.count
            entries, cursor = self._environment.ledger(cursor)
            lines, logged = self._environment.services.logs(logged)
            if point.holds_commit is not None:
                still = 0 if point.holds_commit() else 1
            still -= sum(_is_meant(point, entry) for entry in entries)
            if point.at.log:
                still -= sum(
                    point.service in (line.service, f"{line.service}.{line.replica}")
                    and line.record is not None
                    and line.record.get("event") == point.at.log
                    for line in lines
                )
            if still <= 0:
                return True
            if self._over.is_set():
                return False
            self._signal.wait(seen, _LONGEST)

    def _crash(self, point: CrashPoint, release: Callable[[], None]) -> None:
        with self._crashing:
            self._stopped.add(point.service)
            self._environment.services.kill(point.service)
            point.crashed_at = time.time()
            self._note(point.service, f"crashed at {point.at}")
            release()
            if point.restart:
                self._environment.services.start(point.service)
                self._stopped.discard(point.service)
                self._note(point.service, "started again")

    def _pause(self, point: CrashPoint, release: Callable[[], None]) -> None:
        self._stopped.add(point.service)
        self._environment.services.pause(point.service)
        point.crashed_at = time.time()
        self._note(point.service, f"paused at {point.at}")
        point.done.set()
        self._signal.wake()
        point.resumed.wait(point.longest)
        self._environment.services.resume(point.service)
        self._stopped.discard(point.service)
        self._note(point.service, "goes on")
        release()


def _is_meant(point: CrashPoint, entry: Entry) -> bool:
    at, details = point.at, entry.details
    if not at.queue or entry.entity != at.queue or at.message_id not in (None, entry.message_id):
        return False
    if entry.event is EventKind.FAULT and (details.get("fault"), details.get("phase")) == ("hold", "strike"):
        # what is held so that nothing outruns an event tells that the first of them is over, not how many there were
        return (at.on in HELD or at.nth == 1) and details.get("fault_id") == point.fault
    return entry.event == at.on and at.by in (None, _actor(entry))


def _actor(entry: Entry) -> str | None:
    """Return who received the message, or sent it where it has just come."""
    if entry.consumer is not None:
        return consumer_of(entry.consumer)
    content = None if entry.message is None else entry.message.content
    return None if content is None or content.sender is None else consumer_of(content.sender)


def _nothing() -> None: ...
