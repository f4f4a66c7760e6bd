"""The messages of a case held to the schemas of their queues: what is wrong with each, and which keywords they have met."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from peeklock.engine.ledger import body_of
from peeklock.engine.record import Record
from peeklock.scenario.matchers.patterns import PatternTooSlow
from peeklock.scenario.matchers.schema import keywords_of
from peeklock.scenario.topology import Receivable
from peeklock.servicebus.ledger import AboutMessage

if TYPE_CHECKING:
    from peeklock.scenario.matchers.schema_keywords import Keywords

MOST_MESSAGES = 1_000
"""Of a case that are held to schemas."""
MOST_ERRORS = 10
"""Of a message that are told."""


class Contracts:
    """What the schemas of a case's queues say about its messages."""

    def __init__(self, record: Record) -> None:
        self._schemas = _schemas(record.queues)
        schemas = {queue.lower(): keywords for queue, (_, keywords) in self._schemas.items()}
        self.errors: dict[int, list[tuple[str, str]]] = {}
        """What is wrong with a message, `(path, sentence)` each, by the number of its entry."""
        left = MOST_MESSAGES if schemas else 0
        for entry in record.entries if left else ():
            content = entry.subject.content if isinstance(entry.subject, AboutMessage) else None
            if content is None or (keywords := schemas.get(entry.entity.lower())) is None:
                continue
            try:
                wrong = keywords.check(body_of(content.facts()))
            except (ValueError, PatternTooSlow, RecursionError):
                continue
            if wrong:
                self.errors[entry.number] = wrong[:MOST_ERRORS]
            left -= 1
            if not left:
                return

    def met(self) -> dict[str, Any]:
        """Return for each queue with a schema the schema's name and its keywords: place, name, what is wanted, met, broken."""
        return {
            queue: [name, [[each.place, each.name, each.wanted, each.met, each.broken] for each in keywords.all]]
            for queue, (name, keywords) in self._schemas.items()
        }


def _schemas(queues: Mapping[str, Receivable]) -> dict[str, tuple[str, Keywords]]:
    """The name and the keywords of each queue's schema."""
    found = {name: str(queue.message_schema) for name, queue in queues.items() if queue.message_schema is not None}
    schemas: dict[str, tuple[str, Keywords]] = {}
    for name, file in found.items():
        try:
            schemas[name] = (Path(file).name, keywords_of(json.loads(Path(file).read_text(encoding="utf-8"))))
        except (OSError, ValueError, RecursionError):
            continue  # `contracts_hold` tells of it
    return schemas
