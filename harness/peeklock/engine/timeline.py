"""What happened during a case, in time order, from the test, the queues and the services."""

from __future__ import annotations

from collections.abc import Iterable

from peeklock.engine.diagnosis import ALARMING_LEVELS, exception_of, is_error
from peeklock.engine.failure import Moment
from peeklock.servicebus.ledger import AboutMessage, AboutSession, Entry, EventKind
from peeklock.stack.backend import DatabaseTransaction, Exit, LogLine

_DULL_LEVELS = frozenset({"debug", "trace"})
_DULL_KEYS = frozenset({"timestamp", "level", "event", "service", "correlation_id", "logger", "exception", "stack"})
_LONGEST = 60
_LONGEST_ERROR = 2000
_ALARMING = (EventKind.DEAD_LETTERED, EventKind.EXPIRED, EventKind.LOCK_EXPIRED)


def timeline(
    moments: Iterable[Moment], entries: Iterable[Entry], lines: Iterable[LogLine], exits: Iterable[Exit]
) -> list[Moment]:
    """Return every moment of a case in time order."""
    rows = [*moments, *map(_of_entry, entries), *map(_of_exit, exits)]
    rows += [moment for line in lines if (moment := _of_line(line))]
    return sorted(rows, key=lambda moment: moment.at)


def moment_of(transaction: DatabaseTransaction) -> Moment:
    """Return the moment at which a transaction of a service ended."""
    error = f" by SQLSTATE {transaction.error}" if transaction.error else ""
    text = f"{' + '.join(transaction.changes)} {transaction.end}{error}"
    return Moment(transaction.ended, transaction.service or "postgres", text, transaction.end != "committed")


def _of_entry(entry: Entry) -> Moment:
    event, details = entry.event, entry.details
    text = event.replace("_", " ")
    if event is EventKind.FAULT:
        text += f" {details.get('fault', '')} {details.get('phase', '')}"
    elif event is EventKind.TOKEN_RENEWED:
        text += f" by {details.get('principal', '')} on connection {details.get('connection', '')}"
    elif event is EventKind.ACCESS_REFUSED:
        text += f": {details.get('principal', '')} may not {details.get('right', '')}"
    match entry.subject:
        case AboutMessage(delivery=delivery) if event in (EventKind.DELIVERED, EventKind.RECEIVED_AND_DELETED):
            text += f" {delivery}"
        case AboutMessage(sequence=sequence) if sequence:
            text += f" seq {sequence}"
        case AboutSession(session_id):
            text += f" {session_id!r}"
    if entry.reason:
        text += f" {entry.reason}"
    return Moment(entry.at, entry.entity or "servicebus", text, alarming=event in _ALARMING)


def _of_line(line: LogLine) -> Moment | None:
    record = line.record
    if record is None:
        alarming = is_error(line)
        return Moment(line.at, line.service, _cut(line.text, alarming), alarming) if line.text.strip() else None
    level = str(record.get("level", "info")).lower()
    if level in _DULL_LEVELS:
        return None
    text = str(record.get("event", line.text))
    details = [
        f"{key}={value}"
        for key, value in record.items()
        if key not in _DULL_KEYS and isinstance(value, str | int | float)
    ]
    alarming = level in ALARMING_LEVELS
    if alarming:
        details += [f"({exception})"] if (exception := exception_of(record)) else []
        text = f"ERROR {text}"
    return Moment(line.at, line.service, _cut(" ".join([text, *details]), alarming), alarming)


def _of_exit(exit_: Exit) -> Moment:
    how = f"signal {-exit_.code}" if exit_.code < 0 else f"code {exit_.code}"
    return Moment(exit_.at, exit_.service, f"exited, {how}", not exit_.expected)


def _cut(text: str, alarming: bool) -> str:
    longest = _LONGEST_ERROR if alarming else _LONGEST
    return text if len(text) <= longest else text[: longest - 1] + "…"
