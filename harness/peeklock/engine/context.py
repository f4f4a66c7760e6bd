"""What the steps of one case share."""

from __future__ import annotations

import re
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from peeklock.engine.bounded import Call
from peeklock.engine.clients import Clients
from peeklock.engine.crash_points import CrashPoints
from peeklock.engine.failure import Moment, VerbFailed
from peeklock.engine.ledger import OPEN, Ledger
from peeklock.engine.scaler import Scaler
from peeklock.engine.waiting import Deadline, Signal
from peeklock.scenario.model import Case, Scenario
from peeklock.scenario.values import Scope
from peeklock.stack.backend import Environment

QUIET = 2.0
"""Seconds without any log line or ledger entry after which an idle system counts as settled."""


@dataclass
class CaseContext:
    """The environment, the names and the record of one case."""

    scenario: Scenario
    case: Case
    id: str
    """`file.yaml::case`."""
    slug: str
    """Unique for this run of the case; fit for a blob or a host name."""
    environment: Environment
    clients: Clients
    ledger: Ledger
    signal: Signal
    deadline: Deadline
    """When what runs now has to be over: the case, or the step or look that has less time."""
    names: dict[str, Any]
    """What `${…}` finds now; a fragment has names of its own."""
    secrets: set[str]
    file_names: dict[str, Any] = field(default_factory=dict)
    """What `defaults` of the file may use, wherever the step stands: its vars and secrets."""
    folder: Path = field(default_factory=Path)
    """Where the relative paths of the running step start."""
    started_at: float = field(default_factory=time.time)
    moments: list[Moment] = field(default_factory=list)
    log_cursor: int = 0
    exit_cursor: int = 0
    stopped: set[str] = field(default_factory=set)
    """Services that a step has ended on purpose."""
    update_snapshots: bool = False
    abandoned: list[Call[Any]] = field(default_factory=list)
    """What was given up when its time was over, and may still be at it."""
    waiting: float = 0.0
    """Seconds spent waiting so far."""
    _fakers: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def scaler(self) -> Scaler:
        """What starts and ends replicas during this case."""
        rules = {name: each.scale for name, each in self.scenario.header.services.items() if each.scale is not None}
        return Scaler(self.environment, rules, self.signal, self.note, self.stopped)

    @cached_property
    def crashes(self) -> CrashPoints:
        """The crash points of this case."""
        return CrashPoints(self.environment, self.signal, self.note, self.stopped)

    @contextmanager
    def within(self, seconds: float) -> Iterator[Deadline]:
        """Let what is done meanwhile outlast neither `seconds` nor the deadline that holds already."""
        outer, self.deadline = self.deadline, self.deadline.sooner(seconds)
        try:
            yield self.deadline
        finally:
            self.deadline = outer

    def scope(self, folder: Path, extra: Mapping[str, Any] | None = None) -> Scope:
        """Return the names as a step in a file of `folder` sees them."""
        return Scope({**self.names, **(extra or {})}, folder, self._fake, self.environment.clock.now)

    def file_scope(self) -> Scope:
        """Return the names as the top level of the scenario file sees them."""
        return Scope(self.file_names, self.scenario.path.parent, self._fake, self.environment.clock.now)

    def secret(self, value: str) -> str:
        """Remember a value that must never be written, and return it."""
        if value:
            self.secrets.add(value)
        return value

    def note(self, actor: str, text: str, *, alarming: bool = False, at: float | None = None) -> None:
        """Add a moment to the timeline, now or at a Unix time."""
        self.moments.append(Moment(time.time() if at is None else at, actor, text, alarming))

    def worked_queues(self) -> list[str]:
        """Return the queues that somebody empties: declared consumers, a receiver now, or one during this case."""
        servicebus = self.scenario.header.stack.servicebus
        if servicebus is None:
            return []
        attached = {queue["name"] for queue in self.environment.queues() if queue.get("receivers")}
        return [
            name
            for name, queue in servicebus.receivable().items()
            if (queue.consumers if queue.consumers is not None else name in attached or self.ledger.receivers(name))
        ]

    def open_messages(self, queues: list[str] | None = None) -> list[str]:
        """Return, for each message that is not done with yet, a phrase that names it."""
        self.ledger.refresh()
        return [
            f"{message.queue}: {message.facts.get('message_id')} is {message.outcome}"
            for queue in (self.worked_queues() if queues is None else queues)
            for message in self.ledger.messages(queue)
            if message.outcome in OPEN
        ]

    def settled(self) -> bool:
        """Tell whether the case has had messages, all are done with, and nothing has stirred for a while."""
        return (
            self.signal.quiet_for >= QUIET and bool(self.ledger.all()) and not self.stopped and not self.open_messages()
        )

    def service(self, name: str | None = None) -> str:
        """Return the service that a step means: the one named, the file's default, or the only one with `ready.http`."""
        services = self.scenario.header.services
        wanted = name or self.scenario.header.defaults.http.service
        if wanted:
            return wanted
        with_http = [key for key, service in services.items() if service.ready and service.ready.http]
        if len(with_http) == 1:
            return with_http[0]
        raise VerbFailed(f"which service? {len(with_http)} have ready.http: say `on:`, or defaults.http.service")

    def unexpected_exit(self) -> str:
        """Return a sentence about a service that ended by itself during this case; empty when none did."""
        exits, _ = self.environment.services.exits(self.exit_cursor)
        for found in exits:
            if not found.expected and not (found.code == 0 and self._is_job(found.service)):
                how = f"signal {-found.code}" if found.code < 0 else f"code {found.code}"
                return f"{found.service} exited with {how}"
        return ""

    def _is_job(self, service: str) -> bool:
        rule = self.scenario.header.services[service].scale
        return rule is not None and rule.job is not None

    def _fake(self, name: str) -> Any:
        if not self._fakers:
            # faker costs 0.2 s to import, which only those who use it pay
            from faker import Faker

            self._fakers["faker"] = Faker()
            self._fakers["faker"].seed_instance(zlib.crc32(self.id.encode()))
        provider = name.rsplit(".", 1)[-1]
        try:
            return getattr(self._fakers["faker"], provider)()
        except (AttributeError, TypeError) as error:
            raise VerbFailed(f"Faker has no provider {name!r} that needs no argument: {error}") from None


def slug_of(case: str) -> str:
    """Return a case's name in lower-case letters, digits and hyphens, at most 40 long."""
    return re.sub(r"[^a-z0-9]+", "-", case.lower()).strip("-")[:40] or "case"
