"""What happened during a case, in time order, from the test, the queues and the services."""

from __future__ import annotations

from collections.abc import Iterable

from peeklock.engine.failure import Moment
from peeklock.servicebus.ledger import AboutMessage, AboutSession, Entry, EventKind
from peeklock.stack.backend import Exit, LogLine

ALARMING_LEVELS = frozenset({"error", "critical", "fatal"})
_DULL_LEVELS = frozenset({"debug", "trace"})
_DULL_KEYS = frozenset({"timestamp", "level", "event", "service", "correlation_id", "logger", "exception", "stack"})
_LONGEST = 60
_ALARMING = (EventKind.DEAD_LETTERED, EventKind.EXPIRED, EventKind.LOCK_EXPIRED)
_LONGEST_MESSAGE = 300
_FOREIGN = ("/site-packages/", "/lib/python", "<frozen ")
"""In the path of code that is not the service's own."""


def timeline(
    moments: Iterable[Moment], entries: Iterable[Entry], lines: Iterable[LogLine], exits: Iterable[Exit]
) -> list[Moment]:
    """Return every moment of a case in time order."""
    rows = [*moments, *map(_of_entry, entries), *map(_of_exit, exits)]
    rows += [moment for line in lines if (moment := _of_line(line))]
    return sorted(rows, key=lambda moment: moment.at)


def is_error(line: LogLine) -> bool:
    """Tell whether a service has logged an error: by its level, or a traceback where the line is not JSON."""
    if line.record is not None:
        return str(line.record.get("level", "")).lower() in ALARMING_LEVELS
    return line.text.startswith("Traceback (most recent call last)")


def _of_entry(entry: Entry) -> Moment:
    event, details = entry.event, entry.details
    text = event.replace("_", " ")
    if event is EventKind.FAULT:
        text += f" {details.get('fault', '')} {details.get('phase', '')}"
    elif event is EventKind.TOKEN_RENEWED:
        text += f" by {details.get('principal', '')} on connection {details.get('connection', '')}"
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
        return Moment(line.at, line.service, _cut(line.text), is_error(line)) if line.text.strip() else None
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
    return Moment(line.at, line.service, _cut(" ".join([*(["ERROR"] if alarming else []), text, *details])), alarming)


def _of_exit(exit_: Exit) -> Moment:
    how = f"signal {-exit_.code}" if exit_.code < 0 else f"code {exit_.code}"
    return Moment(exit_.at, exit_.service, f"exited, {how}", not exit_.expected)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def likely_cause(entries: Iterable[Entry], lines: Iterable[LogLine], exits: Iterable[Exit]) -> str:
    """Return the most telling of what went wrong around a failure, in one sentence; empty when nothing did."""
    for gone in exits:
        if not gone.expected:
            how = f"signal {-gone.code}" if gone.code < 0 else f"code {gone.code}"
            return f"{gone.service} exited by itself with {how}"
    lines = list(lines)
    errors = [line for line in lines if is_error(line)]
    if errors:
        with_traceback = [line for line in errors if (line.record or {}).get("exception")]
        return _error_sentence((with_traceback or errors)[-1])
    lettered = [entry for entry in entries if entry.event is EventKind.DEAD_LETTERED]
    if lettered:
        entry = lettered[-1]
        message_id = entry.message_id or ""
        why = ": ".join(str(part) for part in (entry.reason, entry.details.get("description")) if part)
        if entry.reason == "MaxDeliveryCountExceeded":
            why += _last_word(message_id, lines)
        return f"{entry.entity} dead-lettered {message_id}: {why}"
    return ""


def _last_word(message_id: str, lines: list[LogLine]) -> str:
    """Return what a service last said of a message when it gave it back: the broker knows only how often that was."""
    for line in reversed(lines):
        record = line.record or {}
        told = record.get("reason") or record.get("error") or record.get("detail")
        if told and record.get("message_id") == message_id:
            return f" {line.service} logged {record.get('event', line.text)}: {told}"
    return ""


def _error_sentence(line: LogLine) -> str:
    record = line.record or {}
    said = str(record.get("event", line.text))
    exception = str(record.get("exception", "")).strip().splitlines()
    if exception:
        message, where = _of_traceback(exception)
        return f"{line.service} logged {said}: {message}{where}"
    detail = record.get("error") or record.get("reason") or record.get("detail")
    return f"{line.service} logged {said}" + (f": {detail}" if detail else "")


def _of_traceback(text: list[str]) -> tuple[str, str]:
    """Return the message, all of its lines as one, and the place: the innermost of the service's own code."""
    begin = max((n for n, part in enumerate(text) if part.startswith("Traceback ")), default=-1)
    end = next((n for n in range(begin + 1, len(text)) if not text[n].startswith(" ")), len(text) - 1)
    frames = [part.strip() for part in text[begin + 1 : end] if part.strip().startswith("File ")]
    own = [frame for frame in frames if not any(part in frame for part in _FOREIGN)]
    message = " ".join(part.strip() for part in text[end:] if part.strip())
    shortened = message if len(message) <= _LONGEST_MESSAGE else message[: _LONGEST_MESSAGE - 1] + "…"
    return shortened, f" at {_place((own or frames)[-1])}" if frames else ""


def _place(line: str) -> str:
    """Turn `File "/x/worker/result.py", line 44, in build` into `worker/result.py:44`."""
    try:
        _, path, rest = line.split('"', 2)
        number = rest.split("line ", 1)[1].split(",", 1)[0]
    except (ValueError, IndexError):
        return line
    return f"{'/'.join(path.split('/')[-2:])}:{number}"
