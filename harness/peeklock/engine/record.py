"""Everything that was seen during one case, for artefacts."""

from __future__ import annotations

from dataclasses import dataclass

from peeklock.alerts import Recording
from peeklock.engine.failure import Moment
from peeklock.servicebus.ledger import Entry
from peeklock.stack.backend import Exit, LogLine


@dataclass(frozen=True, slots=True)
class Record:
    """The raw story of a case; whoever writes it redacts it with `secrets` first."""

    moments: tuple[Moment, ...]
    entries: tuple[Entry, ...]
    lines: tuple[LogLine, ...]
    exits: tuple[Exit, ...]
    started_at: float
    secrets: frozenset[str]
    signals: Recording | None = None
    """What alert rules could look at, of a file that names any."""
