"""Scales the services of a case as KEDA would: looks at the queues when the clock of the case says so, and starts or ends
replicas."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from peeklock.durations import format_duration
from peeklock.engine.waiting import Signal
from peeklock.errors import PeeklockError
from peeklock.scaling import State, executions, plan
from peeklock.scenario.services import Scale
from peeklock.stack.backend import Environment

_LONGEST = 60.0
"""Seconds after which is looked at the clock again, though nothing was heard."""


@dataclass(frozen=True, slots=True)
class Change:
    """The number of replicas, or of executions that run, was changed: seconds since the case began, by the case's clock."""

    at: float
    before: int
    after: int
    count: int
    why: str


@dataclass
class _Scaled:
    """One service with a rule, and what has become of it in this case."""

    rule: Scale
    state: State
    due: float
    """When is looked next, by the clock of the case."""
    steps: list[int]
    changes: list[Change] = field(default_factory=list)
    begun: int = 0
    running: dict[int, tuple[float, int]] = field(default_factory=dict)
    """Executions of a job by replica: when they began, and how often before."""


class Scaler:
    """Those of one case. `note(actor, text)` gets what happens; services in `stopped` are left as a step has left them."""

    def __init__(
        self, environment: Environment, rules: Mapping[str, Scale], signal: Signal, note: Callable[[str, str], None],
        stopped: set[str],
    ) -> None:  # fmt: skip
        self._environment, self._rules, self._signal, self._note, self._stopped = (
            environment,
            rules,
            signal,
            note,
            stopped,
        )
        self._scaled: dict[str, _Scaled] = {}
        self._began = 0.0
        self._exits = 0
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._trouble: list[str] = []

    def begin(self) -> None:
        """Look for the first time, and from then on whenever it is time."""
        if not self._rules:
            return
        self._began = now = self._now()
        _, self._exits = self._environment.services.exits(1 << 62)
        for service, rule in self._rules.items():
            initial = 0 if rule.job is not None else rule.min
            self._scaled[service] = _Scaled(rule, State(initial), now, [initial])
        self.run_due()
        self._thread = threading.Thread(target=self._watch, name="scaler", daemon=True)
        self._thread.start()

    def end(self) -> list[str]:
        """Look no more; returns a sentence for each thing that has gone wrong. What runs goes on until the next case."""
        self._over.set()
        self._signal.wake()
        if self._thread is not None:
            self._thread.join()
        return self._trouble

    def facts(self, service: str) -> dict[str, Any]:
        """Return what the verb `scale` shows of a service."""
        with self._lock:
            scaled = self._scaled[service]
            shown = {
                "service": service,
                "replicas": scaled.state.replicas if scaled.rule.job is None else len(scaled.running),
                "running": self._environment.services.running(service),
                "steps": list(scaled.steps),
                "history": [
                    {
                        "at": round(each.at, 3),
                        "from": each.before,
                        "to": each.after,
                        "count": each.count,
                        "why": each.why,
                    }
                    for each in scaled.changes
                ],
            }
            return shown if scaled.rule.job is None else {**shown, "begun": scaled.begun}

    def run_due(self) -> None:
        """Do all looks that are due by the clock of the case, one after the other, as if each had come in its time."""
        with self._lock:
            now = self._now()
            self._see_exits()
            for service, scaled in self._scaled.items():
                while scaled.due <= now and not self._over.is_set():
                    self._look(service, scaled, scaled.due)
                    scaled.due += scaled.rule.polling

    # -- looking -------------------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        while not self._over.is_set():
            seen = self._signal.count
            self.run_due()
            soonest = min(scaled.due for scaled in self._scaled.values())
            self._signal.wait(seen, min(max(0.0, self._environment.clock.real(soonest) - time.time()), _LONGEST))

    def _now(self) -> float:
        return self._environment.clock.now().timestamp()

    def _look(self, service: str, scaled: _Scaled, now: float) -> None:
        if service in self._stopped:
            return
        queue = scaled.rule.queue
        counts = [
            each["active"] + each["locked"]
            for each in self._environment.queues()
            if each["name"].lower() == queue.lower()
        ]
        if not counts:  # nobody can be asked while Service Bus is away: KEDA leaves things as they are then
            return
        (count,) = counts
        try:
            if scaled.rule.job is None:
                self._scale(service, scaled, now, count)
            else:
                self._begin_executions(service, scaled, now, count)
        except PeeklockError as error:
            self._trouble.append(f"scaling {service}: {error}")
            self._over.set()

    def _scale(self, service: str, scaled: _Scaled, now: float, count: int) -> None:
        before = scaled.state.replicas
        decision = plan(scaled.rule, now, count, scaled.state)
        scaled.state = decision.state
        after = decision.state.replicas
        if after != before:
            self._changed(service, scaled, Change(now - self._began, before, after, count, decision.why))
            self._environment.services.scale(service, after)

    def _begin_executions(self, service: str, scaled: _Scaled, now: float, count: int) -> None:
        job = scaled.rule.job
        assert job is not None
        for replica, (since, tries) in list(scaled.running.items()):
            if now - since >= job.timeout:
                self._note(service, f"execution {replica} has taken {format_duration(job.timeout)}: ended")
                self._environment.services.stop(f"{service}.{replica}")
                self._ended(service, scaled, replica, tries, failed=True, now=now)
        more = executions(scaled.rule, count, len(scaled.running))
        if more:
            before = len(scaled.running)
            why = f"{count} messages at {scaled.rule.messages} each"
            self._changed(service, scaled, Change(now - self._began, before, before + more, count, why))
            self._begin(service, scaled, now, more, tries=0)

    def _begin(self, service: str, scaled: _Scaled, now: float, more: int, tries: int) -> None:
        for replica in self._environment.services.scale(service, len(scaled.running) + more):
            scaled.running[replica] = (now, tries)
            scaled.begun += 1

    def _ended(self, service: str, scaled: _Scaled, replica: int, tries: int, *, failed: bool, now: float) -> None:
        del scaled.running[replica]
        job = scaled.rule.job
        if failed and job is not None and tries < job.retries and not self._over.is_set():
            self._note(service, f"execution {replica} has failed: begun again")
            self._begin(service, scaled, now, 1, tries + 1)
        else:
            scaled.steps.append(len(scaled.running))

    def _see_exits(self) -> None:
        exits, self._exits = self._environment.services.exits(self._exits)
        for found in exits:
            scaled = self._scaled.get(found.service)
            if scaled is not None and found.replica in scaled.running and not found.expected:
                _, tries = scaled.running[found.replica]
                self._ended(found.service, scaled, found.replica, tries, failed=found.code != 0, now=self._now())

    def _changed(self, service: str, scaled: _Scaled, change: Change) -> None:
        scaled.changes.append(change)
        scaled.steps.append(change.after)
        self._note(service, f"scaled {change.before} → {change.after}: {change.why}")
