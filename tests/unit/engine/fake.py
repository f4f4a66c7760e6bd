"""An environment in memory: the same protocol, driven by the test."""

from __future__ import annotations

import base64
import functools
import json
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from peeklock.engine.case import CaseOptions, CaseRun
from peeklock.engine.clients import Clients
from peeklock.engine.events import CaseFinished, Event
from peeklock.scenario.loader import load
from peeklock.scenario.model import Scenario
from peeklock.servicebus.ledger import AboutEntity, AboutMessage, AboutSession, Entry, EventKind, Subject, Told
from peeklock.stack.backend import (
    CommitHold,
    DatabaseUse,
    Endpoints,
    Exit,
    FaultEvent,
    HeldCommit,
    HeldOperation,
    Hold,
    LogLine,
    Transactions,
    Variables,
)  # fmt: skip
from peeklock.stack.faults import Fault
from peeklock.standins import StandIn
from peeklock.supervision.client import SupervisorClient
from peeklock.supervision.commands import Commands
from peeklock.supervision.usage import Usage
from peeklock.telemetry import Telemetry
from peeklock.verbs import VOCABULARY


class FakeServices:
    """Services that run only in words."""

    def __init__(self, *names: str) -> None:
        self._names = names
        self.lines: list[LogLine] = []
        self.gone: list[Exit] = []
        self.done: list[str] = []
        self.used: list[Usage] = []
        self.told: dict[str, dict[str, str]] = {}
        self.connections: list[DatabaseUse] = []
        self.told_besides: list[Variables | None] = []

    def usage(self, service: str, *, anew: bool = False) -> list[Usage]:
        return self.used

    def variables(self, service: str) -> dict[str, str]:
        return self.told.get(service, {})

    def databases(self) -> list[DatabaseUse]:
        return self.connections

    def names(self) -> tuple[str, ...]:
        return self._names

    def url(self, service: str) -> str:
        return f"http://127.0.0.1:{9000 + self._names.index(service)}"

    def urls(self, service: str) -> list[str]:
        return [self.url(service)]

    def logs(self, after: int = 0, *, late: bool = False) -> tuple[list[LogLine], int]:
        return self.lines[after:], len(self.lines)

    def exits(self, after: int = 0) -> tuple[list[Exit], int]:
        return self.gone[after:], len(self.gone)

    def tell(self, variables: Variables | None) -> None:
        self.told_besides.append(variables)

    def running(self, service: str) -> int:
        return 1

    def __getattr__(self, name: str) -> Callable[[str], None]:
        if name in ("start", "stop", "kill", "pause", "resume"):
            return lambda service: self.done.append(f"{name} {service}")
        if name == "revive":
            return lambda *_: self.done.append(name)
        raise AttributeError(name)


class FakeFaults:
    """Faults that only remember what was asked of them."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.happened: list[FaultEvent] = []
        self.seen = Transactions()
        self.commits: dict[HeldCommit, list[str]] = {}

    def begin(self, target: str, fault: Fault, times: int | None = None, seconds: float | None = None) -> int:
        self.asked.append((target, fault.kind, fault.model_dump(exclude_defaults=True), times, seconds))
        return 0

    def end(self, target: str | None = None) -> int:
        self.asked.append(("end", target))
        return 2

    def events(self) -> list[FaultEvent]:
        return self.happened

    def transactions(self) -> Transactions:
        return self.seen

    def hold_commit(self, held: HeldCommit) -> CommitHold:
        self.commits[held] = told = []
        return CommitHold(lambda: "reached" in told, lambda: told.append("ended"))


class FakeClock:
    """A clock that is moved in words only."""

    movable = True

    def __init__(self) -> None:
        self.offset = 0.0
        self.moves: list[float] = []

    def now(self) -> datetime:
        return datetime.fromtimestamp(time.time() + self.offset, UTC)

    def shown(self, at: float) -> float:
        return at

    def real(self, at: float) -> float:
        return at

    def moved(self) -> list[tuple[float, float]]:
        return []

    def advance(self, seconds: float) -> datetime:
        self.moves.append(seconds)
        self.offset += seconds
        return self.now()


@functools.cache
def supervisor() -> SupervisorClient:
    """A real one, below which the commands of cases run; it ends with the tests."""
    return SupervisorClient.start()


class FakeEnvironment:
    """A namespace whose ledger the test writes."""

    made_at_start = ""
    log_dir = Path()

    def __init__(self, *services: str) -> None:
        self.services = FakeServices(*services)
        self.others = FakeServices("postgres", "blobs", "servicebus")
        self.endpoints = self.seen = Endpoints()
        self.clock = FakeClock()
        self.faults = FakeFaults()
        self.standins: dict[str, StandIn] = {}
        self.identities = None
        self.telemetry = Telemetry(time.time)
        self.entries: list[Entry] = []
        self.receivers: dict[str, list[str]] = {}
        self.consumers: dict[str, list[str]] = {}
        self._wakes: list[Callable[[], None]] = []
        self.resets = 0
        self.began_at: datetime | None = None
        self.held: list[tuple[str, str, str | None]] = []

    def happen(self, event: str, queue: str = "jobs", sequence: int = 1, **facts: Any) -> None:
        """Add a ledger entry and wake whoever waits; facts that are not of the message are details."""
        raw = facts.pop("raw", None) or json.dumps(facts.pop("body", None)).encode()
        message_id, correlation_id = facts.pop("message_id", ""), facts.pop("correlation_id", None)
        content: Told | None = None
        if event in ("enqueued", "scheduled", "duplicate_dropped"):
            body = {"body_base64": base64.b64encode(raw).decode(), "body_type": "data"}
            told = {"message_id": message_id, "correlation_id": correlation_id, **body}
            if (properties := facts.pop("application_properties", None)) is not None:
                told["application_properties"] = properties
            content = Told(told, facts.pop("sender", None))
        delivery, consumer = facts.pop("delivery", 1), facts.pop("consumer", None)
        subject: Subject = AboutMessage(sequence, message_id, delivery, consumer, content)
        if event.startswith("session_"):
            subject = AboutSession(facts.pop("session_id"), consumer)
        elif event in ("token_renewed", "purged", "transaction_committed") or not (sequence or content):
            subject = AboutEntity()
        self.entries.append(Entry(len(self.entries) + 1, time.time(), queue, EventKind(event), subject, facts))
        self.wake()

    def log(self, service: str, **record: Any) -> None:
        """Let a service log a JSON line."""
        self.services.lines.append(LogLine(service, 0, time.time(), json.dumps(record), record))
        self.wake()

    def wake(self) -> None:
        for wake in list(self._wakes):
            wake()

    def reset(self, at: datetime | None = None) -> int:
        self.resets += 1
        self.began_at = at
        return len(self.entries)

    def ledger(self, after: int, wait: float = 0.0) -> tuple[list[Entry], int]:
        return self.entries[after:], len(self.entries)

    def queues(self) -> list[dict[str, Any]]:
        return [
            {
                "name": name,
                "receivers": [{"link": each} for each in self.receivers.get(name, ())],
                "consumers": self.consumers.get(name, []),
            }
            for name in {**self.receivers, **self.consumers}
        ]

    def on_change(self, wake: Callable[[], None]) -> Callable[[], None]:
        self._wakes.append(wake)
        return lambda: self._wakes.remove(wake)

    @property
    def dependencies(self) -> FakeServices:
        return self.others

    def hold(self, held: HeldOperation) -> Hold:
        self.held.append((held.entity, held.operation, held.message_id))
        fault = f"fault-{sum(name != 'released' for name, *_ in self.held)}"
        return Hold(fault, lambda: self.held.append(("released", held.operation, None)))

    @property
    def commands(self) -> Commands:
        return Commands(supervisor())

    condemned = False

    def condemn(self) -> None:
        self.condemned = True

    def check(self) -> None: ...

    def close(self) -> None: ...


HEADER = """\
scenario: test
timeout: 5s
stack:
  servicebus:
    queues:
      jobs: {consumers: [worker]}
      results: {}
services:
  worker: {run: [python]}
"""


def scenario_of(folder: Path, cases: str, header: str = HEADER) -> Scenario:
    """Return the scenario of a text."""
    (folder / "pyproject.toml").touch()
    path = folder / "test.yaml"
    path.write_text(header + cases, encoding="utf-8")
    return load(path, VOCABULARY)


def run_one(
    scenario: Scenario, environment: FakeEnvironment, emit: Callable[[Event], None] = lambda _: None
) -> CaseFinished:
    """Run the first case of a scenario on a fake environment."""
    case = scenario.cases[0]
    clients: Any = Clients(environment, scenario.root)
    try:
        return CaseRun(scenario, case, f"test.yaml::{case.name}", environment, clients, emit, CaseOptions()).run()
    finally:
        clients.close()


def texts(mapping: Mapping[str, Any]) -> str:
    return json.dumps(mapping)
