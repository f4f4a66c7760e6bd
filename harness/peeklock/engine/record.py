"""Everything that was seen during one case, for artefacts and reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from peeklock.alerts import Recording
from peeklock.engine.failure import Moment
from peeklock.engine.operations import ContractUse
from peeklock.scenario.services import Scale
from peeklock.scenario.topology import Receivable
from peeklock.servicebus.ledger import Entry
from peeklock.stack.backend import Exit, FaultEvent, LogLine, Transactions
from peeklock.telemetry import Span


@dataclass(frozen=True, slots=True)
class Looks:
    """Looks of a step one after the other that all saw the same."""

    first: float
    """Seconds from the step's begin to the first of them."""
    last: float
    count: int
    missing: str
    """What was not as it should be; empty where nothing was."""


MOST_LOOKS = 60
"""Changes that are kept of a step: of more the first ones, and the last."""


@dataclass(frozen=True, slots=True)
class StepRun:
    """One step that was run to its end, well or not."""

    at: float
    """Unix seconds of its begin."""
    file: str
    line: int
    last_line: int
    depth: int
    """0 for a step of the case, 1 for one of a fragment that it uses, and so on."""
    name: str
    verb: str
    seconds: float
    waiting: float
    tries: int
    ok: bool
    looks: tuple[Looks, ...] = ()
    """Of a step with `eventually`."""
    shown: Any = None
    """What its verb shows of what it did, as JSON holds it."""


@dataclass(frozen=True, slots=True)
class Listing:
    """A part of a scenario file that a case runs."""

    part: str
    """`background`, `case`, `finally`, or the name of the fragment's file."""
    file: str
    first: int
    """The number of its first line."""
    lines: tuple[str, ...]
    steps: tuple[int, ...]
    """The numbers of the lines at which steps begin."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request over HTTP and its answer."""

    at: float
    """Unix seconds of its begin; of its end where `seconds` is None."""
    seconds: float | None
    caller: str
    """Who asked: `test`, a service, or empty where that is not known."""
    target: str
    """Who was asked: a service or a stand-in."""
    summary: str
    alarming: bool
    view: Mapping[str, Any]
    """Heads and bodies, as far as they are known."""


@dataclass(frozen=True, slots=True)
class ScaledService:
    """A service with a `scale` rule, and what became of it."""

    service: str
    rule: Scale
    facts: Mapping[str, Any]
    """What the verb `scale` shows of it, at the end of the case."""


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
    steps: tuple[StepRun, ...] = ()
    listings: tuple[Listing, ...] = ()
    exchanges: tuple[Exchange, ...] = ()
    faults: tuple[FaultEvent, ...] = ()
    """What faults outside of the emulator did."""
    queues: Mapping[str, Receivable] = field(default_factory=dict)
    """What the case's file says of its queues and subscriptions."""
    spans: tuple[Span, ...] = ()
    """What services traced, by the machine's time."""
    scaled: tuple[ScaledService, ...] = ()
    transactions: Transactions = field(default_factory=Transactions)
    """What services changed in the database, where they reach it through the relay."""
    contracts: Mapping[str, ContractUse] = field(default_factory=dict)
    """By file, what was seen of the contracts of stand-ins."""
    log_gaps: tuple[str, ...] = ()
    """What log files of services have let go of, a sentence each."""
    clock: tuple[tuple[float, float], ...] = ()
    """When the clock of the case was moved (Unix seconds), and by how many seconds it has been ahead of its begin from then on."""
