"""An entry as the JSON of the control API, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, assert_never

from .entry import AboutEntity, AboutMessage, AboutSession, Entry, Subject, Told
from .kinds import EventKind


class EntryInvalid(ValueError):
    """A JSON value that is no ledger entry."""


def to_json(entry: Entry, *, content: bool = True) -> dict[str, Any]:
    """Return an entry as a JSON object; without `content` it does not tell what a message consists of.

    `n`, `at`, `entity`, `event` and `details` are always there; `sequence`, `message_id`, `delivery` and `consumer` when it is
    about a message, with `message` and `sender` where the entry carries the content; `session_id` and `consumer` when it is about
    a session.
    """
    document: dict[str, Any] = {
        "n": entry.number,
        "at": round(entry.at, 6),
        "entity": entry.entity,
        "event": entry.event.value,
    }
    subject = entry.subject
    match subject:
        case AboutMessage():
            document["sequence"] = subject.sequence
            document["message_id"] = subject.message_id
            document["delivery"] = subject.delivery
            document["consumer"] = subject.consumer
            if content and subject.content is not None:
                document["message"] = dict(subject.content.facts())
                document["sender"] = subject.content.sender
        case AboutSession():
            document["session_id"] = subject.session_id
            document["consumer"] = subject.consumer
        case AboutEntity():
            pass
        case _:
            assert_never(subject)
    document["details"] = dict(entry.details)
    return document


def from_json(document: Any) -> Entry:
    """Read what `to_json` has written. Raises `EntryInvalid`."""
    if not isinstance(document, Mapping):
        raise EntryInvalid(f"an entry is a JSON object, not {type(document).__name__}")
    try:
        return Entry(
            int(document["n"]),
            float(document["at"]),
            str(document["entity"]),
            EventKind(document["event"]),
            _subject(document),
            document["details"],
        )
    except KeyError as error:
        raise EntryInvalid(f"an entry without {error}") from None
    except (TypeError, ValueError) as error:
        raise EntryInvalid(f"an entry that cannot be read: {error}") from None


def _subject(document: Mapping[str, Any]) -> Subject:
    if "session_id" in document:
        return AboutSession(document["session_id"], document["consumer"])
    if "sequence" not in document:
        return AboutEntity()
    facts = document.get("message")
    content = None if facts is None else Told(facts, document.get("sender"))
    return AboutMessage(
        int(document["sequence"]),
        document["message_id"],
        int(document["delivery"]),
        document["consumer"],
        content,
    )
