"""What services and queues say of a failure: the errors that were logged, and the likely cause."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from peeklock.servicebus.ledger import Entry, EventKind
from peeklock.stack.backend import Exit, LogLine

ALARMING_LEVELS = frozenset({"error", "critical", "fatal"})
_LONGEST_MESSAGE = 300
_FOREIGN = ("/site-packages/", "/lib/python", "<frozen ")
"""In the path of code that is not the service's own."""
_GONE_WITH_THE_RESET = (
    (re.compile("ContainerNotFound|specified container does not exist"), "container", "`stack.blobs.containers`"),
    (re.compile(r'relation "[^"]+" does not exist|UndefinedTable'), "table", "`stack.postgres.migrations`"),
    (re.compile("MessagingEntityNotFound|messaging entity .* could not be found"), "queue", "`stack.servicebus`"),
)
"""What a service may have made at its start, and where a scenario declares it."""
_UNRESOLVED = (
    "getaddrinfo|[Nn]ame or service not known|name resolution|nodename nor servname|[Nn]o such host|UnknownHost|ENOTFOUND|"
    "EAI_AGAIN|[Ff]ailed to resolve|[Cc]ould not resolve"
)
_AZURE = r"[a-z0-9-]+\.(?:servicebus\.windows\.net|blob\.core\.windows\.net|(?:openai|cognitiveservices|services\.ai)\.azure\.com)"
_NOT_LED = re.compile(
    f"(?P<a>{_AZURE})[^\\n]{{0,200}}?(?:{_UNRESOLVED})|(?:{_UNRESOLVED})[^\\n]{{0,200}}?(?P<b>{_AZURE})"
)
_TRACEBACK = "Traceback (most recent call last)"
_CHAINED = ("The above exception was the direct cause", "During handling of the above exception")
"""Between the traceback of a cause, which comes first, and that of what it led to."""


def hint(text: str) -> str:
    """Return what may be the cause of what was logged or found; else an empty string."""
    return _reset_hint(text) or _name_hint(text)


def _reset_hint(text: str) -> str:
    """A thing is not there that a service makes at its start. Each case begins on a fresh database, on empty containers and queues:
    those that the scenario declares, and no others."""
    for pattern, thing, place in _GONE_WITH_THE_RESET:
        if pattern.search(text):
            return (
                f"if a service makes this {thing} at its start: it is gone after the reset between cases; declare it in "
                f"{place}, or say `isolation: fresh`"
            )
    return ""


def _name_hint(text: str) -> str:
    """A service has asked the network for a name of Azure's."""
    found = _NOT_LED.search(text)
    if found is None:
        return ""
    return (
        f"{found['a'] or found['b']} was not led to this environment: either no `name` in `stack` says so, or the service ignores "
        "the variables that lead it (python -I, neither Python nor Node.js): give that one a connection string"
    )


def is_error(line: LogLine) -> bool:
    """Tell whether a service has logged an error: by its level, or a traceback where the line is not JSON."""
    if line.record is not None:
        return str(line.record.get("level", "")).lower() in ALARMING_LEVELS
    return line.text.startswith(_TRACEBACK)


def logged_errors(lines: Sequence[LogLine]) -> list[str]:
    """Return a sentence for each error that a service has logged, with its exception and where that came from."""
    return [_error_sentence(line) for line in _errors(lines)]


def likely_cause(
    entries: Iterable[Entry], lines: Sequence[LogLine], exits: Iterable[Exit], allowed: Collection[str] = ()
) -> str:
    """Return the most telling of what went wrong around a failure, in one sentence; empty when nothing did.

    `allowed`: invariants that the case waives; what they are about is to be expected, and explains nothing.
    """
    errors = _errors(lines) if "no_error_logs" not in allowed else []
    for gone in exits:
        if not gone.expected and "no_service_exit" not in allowed:
            how = f"signal {-gone.code}" if gone.code < 0 else f"code {gone.code}"
            said = [_error_sentence(line) for line in errors if line.service == gone.service]
            return "; ".join([f"{gone.service} exited by itself with {how}", *said[-1:]])
    if errors:
        with_traceback = [line for line in errors if (line.record or {}).get("exception")]
        return _error_sentence((with_traceback or errors)[-1])
    lettered = [entry for entry in entries if entry.event is EventKind.DEAD_LETTERED]
    if lettered and "no_dead_letters" not in allowed:
        entry = lettered[-1]
        message_id = entry.message_id or ""
        why = ": ".join(str(part) for part in (entry.reason, entry.details.get("description")) if part)
        if entry.reason == "MaxDeliveryCountExceeded":
            why += _last_word(message_id, lines)
        return f"{entry.entity} dead-lettered {message_id}: {why}"
    return ""


def _errors(lines: Sequence[LogLine]) -> list[LogLine]:
    """Return the lines that are errors; a traceback that was printed line by line becomes one record with its exception, and so
    does one with those of its causes."""
    found: list[LogLine] = []
    gathered_until: dict[tuple[str, int], int] = {}
    for index, line in enumerate(lines):
        if is_error(line) and index >= gathered_until.get((line.service, line.replica), 0):
            error, end = _gathered(lines, index)
            found.append(error)
            gathered_until[line.service, line.replica] = end
    return found


def _gathered(lines: Sequence[LogLine], index: int) -> tuple[LogLine, int]:
    """Return the error that begins at a line, and the number of the line behind it."""
    line = lines[index]
    if line.record is not None:
        return line, index + 1
    text, told, end = [line.text], False, index + 1
    for number in range(index + 1, len(lines)):
        other = lines[number]
        if (other.service, other.replica) != (line.service, line.replica):
            continue
        chained = other.text.startswith(_CHAINED)
        if told and other.text.strip() and not chained:
            break
        text.append(other.text)
        end = number + 1
        if chained:
            told = False
        elif other.text.strip() and not other.text.startswith((" ", _TRACEBACK)):
            told = True  # the exception's own line
    return replace(line, record={"event": "a traceback", "exception": "\n".join(text)}), end


def _last_word(message_id: str, lines: Sequence[LogLine]) -> str:
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
    if exception := exception_of(record):
        return f"{line.service} logged {said}: {exception}"
    detail = record.get("error") or record.get("reason") or record.get("detail")
    return f"{line.service} logged {said}" + (f": {detail}" if detail else "")


def exception_of(record: Mapping[str, Any]) -> str:
    """Return the exception that a log record holds, where it came from, and its first cause; empty where it holds none."""
    exception = str(record.get("exception") or "").strip().splitlines()
    return "".join(_of_traceback(exception)) if exception else ""


def _of_traceback(text: list[str]) -> tuple[str, str]:
    """Return the message, all of its lines as one, and the place: the innermost of the service's own code; behind it the same of
    the first of its causes."""
    begins = [number for number, part in enumerate(text) if part.startswith(_TRACEBACK)]
    message, where = _of_one(text[begins[-1] if begins else 0 :])
    if len(begins) > 1:
        cause, there = _of_one(text[begins[0] : begins[1]])
        where += f", caused by {cause}{there}"
    return message, where


def _of_one(text: list[str]) -> tuple[str, str]:
    begin = 1 if text[0].startswith(_TRACEBACK) else 0
    end = next((n for n in range(begin, len(text)) if not text[n].startswith(" ")), len(text) - 1)
    frames = [part.strip() for part in text[begin:end] if part.strip().startswith("File ")]
    own = [frame for frame in frames if not any(part in frame for part in _FOREIGN)]
    message = " ".join(part.strip() for part in text[end:] if part.strip() and not part.startswith(_CHAINED))
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
