"""Leaving a disturbed system alone until it has come to rest, without waiting out locks that nobody can settle any more."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterable, Iterator, Mapping

from peeklock.engine.context import CaseContext
from peeklock.engine.ledger import consumer_of
from peeklock.engine.settling import open_messages
from peeklock.engine.waiting import Deadline, Look, wait_until
from peeklock.errors import PeeklockError
from peeklock.servicebus.ledger import Entry, EventKind
from peeklock.stack.backend import Exit
from peeklock.stack.faults import KINDS

SHORT = 0.3
"""Seconds without a word after which a system that has no open messages may have come to rest."""
LONG = 2.0
"""And after which it has."""
PATIENCE = 25.0
"""Seconds that a system has to come to rest, unless it is said."""
_MOST_STARTS = 3


class Recovery:
    """Watches over one system after its last step."""

    def __init__(self, context: CaseContext, patience: float, stopped: threading.Event) -> None:
        """`stopped`: set when nobody wants to know any more."""
        self._context, self._stopped = context, stopped
        self._deadline = Deadline(patience)
        self._exits: list[Exit] = []
        self._exit_cursor = context.exit_cursor
        self._seen, self._stirred = context.ledger.cursor, time.monotonic()
        self._ended: set[int] = set()
        self._starts = 0

    @property
    def over(self) -> bool:
        """Whether it has had its time."""
        return self._deadline.passed or self._stopped.is_set()

    @property
    def calm_for(self) -> float:
        """Seconds without a word. A service that never stops logging is calm when messages are, for twice as long."""
        if self._context.ledger.cursor != self._seen:
            self._seen, self._stirred = self._context.ledger.cursor, time.monotonic()
        return max(self._context.signal.quiet_for, (time.monotonic() - self._stirred) / 2)

    def until_rest(self, quiet: float) -> bool:
        """Wait until all messages are dealt with and it is calm for `quiet` seconds; False when that does not come in time."""
        context = self._context

        def look() -> Look[bool]:
            if self._stopped.is_set():
                return Look(True, False)
            self._start_exited()
            waiting = open_messages(context)
            if waiting and self.calm_for >= SHORT:
                self._end_orphaned_locks()
            return Look(not waiting and self.calm_for >= quiet, bool(waiting))

        return wait_until(look, self._deadline, context.signal).good and not self._stopped.is_set()

    def until_something(self, quiet: float) -> None:
        """Wait until something happens, or it is calm for `quiet` seconds."""
        seen = self._context.signal.count
        self._context.signal.wait(seen, max(0.05, min(quiet - self.calm_for, self._deadline.left)))

    def _start_exited(self) -> None:
        """Start services again that have ended by themselves, as a platform does."""
        services = self._context.environment.services
        new, self._exit_cursor = services.exits(self._exit_cursor)
        self._exits += new
        for name in {found.service for found in new if not found.expected}:
            if self._starts < _MOST_STARTS and not services.running(name):
                self._starts += 1
                services.start(name)

    def _end_orphaned_locks(self) -> None:
        """End locks whose holders were killed, or were told that they have settled: nothing but time would."""
        shown = self._context.environment.clock.shown
        gone = {found.service: shown(found.at) for found in self._exits}
        for entry in orphaned(self._context.ledger.entries, gone):
            if entry.number in self._ended:
                continue
            self._ended.add(entry.number)
            fault = KINDS["expire_lock"].model_validate({"queue": entry.entity, "message_id": entry.message_id})
            with contextlib.suppress(PeeklockError):  # the message has gone meanwhile
                self._context.environment.faults.begin("servicebus", fault)


def orphaned(entries: Iterable[Entry], gone: Mapping[str, float]) -> Iterator[Entry]:
    """Yield deliveries whose locks run on though nobody can settle them. `gone`: when services have ended, by the clock of entries."""
    last: dict[tuple[str, int], Entry] = {}
    lost: set[tuple[str, int]] = set()
    for entry in entries:
        told = entry.message
        if told is None:
            continue
        key = (entry.entity, told.sequence)
        if entry.event is EventKind.DELIVERED:
            last[key] = entry
            lost.discard(key)
        elif entry.event is EventKind.FAULT:
            if (entry.details.get("fault"), entry.details.get("phase")) == ("drop_settlement", "strike"):
                lost.add(key)
        elif entry.event is not EventKind.RENEWED:
            last.pop(key, None)
    for key, entry in last.items():
        if key in lost or entry.at < gone.get(consumer_of(entry.consumer or ""), 0.0):
            yield entry
