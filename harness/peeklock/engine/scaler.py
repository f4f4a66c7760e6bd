"""Scales the services of a case as KEDA and Container Apps would: does what is due when the clock of the case says so."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from peeklock.engine.executions import Executions
from peeklock.engine.scaled import Counts, Deployment, Scaled, Scene
from peeklock.engine.waiting import Signal
from peeklock.errors import PeeklockError
from peeklock.scaling import unseen
from peeklock.scenario.services import Scale
from peeklock.scenario.topology import Stack
from peeklock.stack.backend import Environment

_LONGEST = 60.0
"""Seconds after which is looked at the clock again, though nothing was heard."""


class Scaler:
    """Those of one case. `note(actor, text)` gets what happens; services in `stopped` are left as a step has left them. `stack`
    has the access rules and identities with which queues are read."""

    def __init__(
        self, environment: Environment, rules: Mapping[str, Scale], signal: Signal, note: Callable[[str, str], None],
        stopped: set[str], stack: Stack,
    ) -> None:  # fmt: skip
        self._environment, self._rules, self._signal, self._note, self._stopped, self._stack = (
            environment,
            rules,
            signal,
            note,
            stopped,
            stack,
        )
        self._scaled: dict[str, Scaled] = {}
        self._exits = 0
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._trouble: list[str] = []
        self._unseen: dict[str, None] = {}

    def begin(self) -> None:
        """Look for the first time, and from then on whenever it is time."""
        if not self._rules:
            return
        now = self._now()
        _, self._exits = self._environment.services.exits(1 << 62)
        for service, rule in self._rules.items():
            scene = Scene(
                service, rule, self._environment.services, self._now, now, partial(self._look, service, rule),
                partial(self._is_stopped, service), partial(self._note, service),
            )  # fmt: skip
            self._scaled[service] = Deployment(scene) if rule.job is None else Executions(scene)
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

    def begun(self) -> list[tuple[str, Scale]]:
        """Return the services that are scaled, with their rules; none before `begin`."""
        return [(service, self._rules[service]) for service in self._scaled]

    def facts(self, service: str) -> dict[str, Any]:
        """Return what the verb `scale` shows of a service."""
        with self._lock:
            running = self._environment.services.running(service)
            return {"service": service, "running": running, **self._scaled[service].facts()}

    def start(self, service: str, env: Mapping[str, str], run: Sequence[str] | None) -> dict[str, Any]:
        """Begin an execution of a job, for this once with more `env` or another command; returns what the verb `scale` shows of
        it. Raises `PeeklockError`."""
        with self._lock:
            job = self._scaled[service]
            assert isinstance(job, Executions)
            self._see_exits()
            return job.start(env, run)

    @property
    def blind(self) -> list[str]:
        """A sentence for each queue that had work which its scaler could not see."""
        return list(self._unseen)

    def run_due(self) -> None:
        """Do all that is due by the clock of the case, one after the other, as if each had come in its time."""
        with self._lock:
            now = self._now()
            self._see_exits()
            for service, scaled in self._scaled.items():
                self._attempt(service, scaled.wake)
                while scaled.due <= now and not self._over.is_set():
                    self._attempt(service, scaled.act)

    # -- looking -------------------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        while not self._over.is_set():
            seen = self._signal.count
            self.run_due()
            soonest = min([*(scaled.due for scaled in self._scaled.values()), self._now() + _LONGEST])
            self._signal.wait(seen, max(0.0, self._environment.clock.real(soonest) - time.time()))

    def _now(self) -> float:
        return self._environment.clock.now().timestamp()

    def _is_stopped(self, service: str) -> bool:
        return service in self._stopped or self._over.is_set()

    def _look(self, service: str, rule: Scale) -> Counts | None:
        if self._is_stopped(service):
            return None
        there = {each["name"].lower(): each["active"] + each["locked"] for each in self._environment.queues()}
        counts: list[int | None] = []
        for queue in rule.queues:
            count = there.get(queue.queue.lower())
            if count is None:  # nobody can be asked while Service Bus is away: KEDA leaves things as they are then
                return None
            why = unseen(queue, self._stack, self._roles)
            if why and count > queue.activation and why not in self._unseen:
                self._unseen[why] = None
                self._note(service, why)
            counts.append(None if why else count)
        return counts

    def _roles(self, identity: str) -> list[tuple[str, str]]:
        identities = self._environment.identities
        assert identities is not None
        return [(each["role"], each.get("on", "")) for each in identities.roles(identity)]

    def _see_exits(self) -> None:
        exits, self._exits = self._environment.services.exits(self._exits)
        for found in exits:
            if found.service in self._scaled:
                self._attempt(found.service, partial(self._scaled[found.service].see, found))

    def _attempt(self, service: str, act: Callable[[], None]) -> None:
        try:
            act()
        except PeeklockError as error:
            self._trouble.append(f"scaling {service}: {error}")
            self._over.set()
