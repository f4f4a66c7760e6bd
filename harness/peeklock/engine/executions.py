"""Executions of a Container Apps job in one case: begun by queues, by a schedule or by a step; their replicas are started again,
ended when they take too long, and counted."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from peeklock.durations import format_duration
from peeklock.engine.scaled import NEVER, History, Scene
from peeklock.errors import PeeklockError
from peeklock.scaling import Status, executions, status, told
from peeklock.scenario.cron import due_between, moments
from peeklock.stack.backend import Exit


class NoRoom(PeeklockError):
    """As many executions run already as there may be."""


@dataclass
class _Replica:
    """One that runs, or that waits to be started, for the first time or again."""

    waits: bool = True
    tries: int = 0
    since: float = 0.0
    """When it was started, by the clock of the case."""
    launched: float = 0.0
    """And by the machine's, which tells exits of an earlier life from its own."""

    def start(self, now: float) -> None:
        """Remember that it is being started."""
        self.waits, self.tries, self.since, self.launched = False, self.tries + 1, now, time.time()


@dataclass
class Execution:
    """One execution, and what has become of it. Moments are seconds since the case began, by its clock."""

    name: str
    trigger: str
    why: str
    at: float
    env: Mapping[str, str]
    run: Sequence[str] | None
    replicas: dict[int, _Replica] = field(default_factory=dict)
    """Those that have not ended for good, by number."""
    numbers: list[int] = field(default_factory=list)
    status: Status = "running"
    ended_at: float | None = None
    attempts: int = 0
    succeeded: int = 0
    failed: int = 0
    reason: str = ""

    def variables(self, service: str) -> dict[str, str]:
        """Return what the replica is told that is being started."""
        return {
            **self.env,
            "CONTAINER_APP_JOB_NAME": service,
            "CONTAINER_APP_JOB_EXECUTION_NAME": self.name,
            "CONTAINER_APP_REPLICA_NAME": f"{self.name}-{self.attempts}",
        }

    def facts(self, service: str) -> dict[str, Any]:
        """Return what the verb `scale` shows of it."""
        return {
            "name": self.name,
            "status": self.status,
            "trigger": self.trigger,
            "why": self.why,
            "at": round(self.at, 3),
            "ended_at": None if self.ended_at is None else round(self.ended_at, 3),
            "replicas": [f"{service}.{number}" for number in self.numbers],
            "attempts": self.attempts,
            "succeeded": self.succeeded,
            "failed": self.failed,
            "reason": self.reason,
        }


class Executions:
    """Implements `engine.scaled.Scaled`: those of one job."""

    def __init__(self, scene: Scene) -> None:
        assert scene.rule.job is not None
        self._scene, self._job = scene, scene.rule.job
        self._history = History([0])
        self._all: list[Execution] = []
        self._look_due = scene.began if self._job.trigger == "event" else NEVER
        self._cron_due = NEVER
        self._plan_next(scene.began)

    # -- what is due ---------------------------------------------------------------------------------------------------

    @property
    def due(self) -> float:
        return min(self._look_due, self._cron_due, self._timeout_due)

    def act(self) -> None:
        moment = self.due
        if self._timeout_due <= moment:
            self._end_overdue(moment)
        elif self._cron_due <= moment:
            self._begin_scheduled()
        else:
            self._look_due += self._scene.rule.polling
            self._begin_for_messages(moment)

    @property
    def _running(self) -> list[Execution]:
        return [each for each in self._all if each.status == "running"]

    @property
    def _timeout_due(self) -> float:
        started = (each.since for execution in self._running for each in execution.replicas.values() if not each.waits)
        return min(started, default=NEVER) + self._job.timeout

    def _begin_for_messages(self, moment: float) -> None:
        counts = self._scene.look()
        if counts is None:
            return
        more = min(executions(self._scene.rule, counts, len(self._running)), self._room)
        if not more:
            return
        asked = [
            f"{told(count)} at {queue.messages} each" + (f" in {queue.queue}" if len(counts) > 1 else "")
            for queue, count in zip(self._scene.rule.queues, counts, strict=True)
            if count is not None and count > queue.activation
        ]
        why = ", ".join(asked)
        self._history.add(self._scene, moment, len(self._running) + more, counts, why)
        for _ in range(more):
            self._begin("event", why, moment)
        self.wake()

    def _plan_next(self, after: float) -> None:
        if self._job.cron is not None:
            self._cron_due = next(moments(self._job.cron, datetime.fromtimestamp(after, UTC))).timestamp()

    def _begin_scheduled(self) -> None:
        """Begin the one that was due last. As the controller of Kubernetes' CronJob after a time in which it could not look:
        what was due before is missed."""
        assert self._job.cron is not None
        now = self._scene.now()
        before = datetime.fromtimestamp(self._cron_due - 1, UTC)
        last, count = due_between(self._job.cron, before, datetime.fromtimestamp(now, UTC))
        assert last is not None
        self._plan_next(now)
        why = f"due at {last:%Y-%m-%dT%H:%M:%SZ}" + (f", {_missed(count - 1)} before it" if count > 1 else "")
        if self._scene.is_stopped():
            self._scene.note(f"no execution {why}: the service is stopped")
            return
        self._history.add(self._scene, last.timestamp(), len(self._running) + 1, [0], why)
        self._begin("schedule", why, last.timestamp())
        self.wake()

    # -- beginning -----------------------------------------------------------------------------------------------------

    @property
    def _room(self) -> int:
        return self._scene.rule.max - len(self._running)

    def start(self, env: Mapping[str, str], run: Sequence[str] | None) -> dict[str, Any]:
        """Begin one because a step says so, for this once with another `env` or command; returns its facts. Raises
        `PeeklockError`."""
        if not self._room:
            raise NoRoom(
                f"{self._scene.rule.max} executions of {self._scene.service} run already",
                fix="wait until one has ended, or raise `scale.max`",
            )
        now = self._scene.now()
        self._history.add(self._scene, now, len(self._running) + 1, [0], "started by a step")
        execution = self._begin("manual", "started by a step", now, env, run)
        self.wake()
        return execution.facts(self._scene.service)

    def wake(self) -> None:
        """Start every replica that waits for it, all at the same time, unless the service is stopped."""
        if self._scene.is_stopped():
            return
        env: dict[tuple[str, ...], dict[int, dict[str, str]]] = {}
        for execution in self._running:
            for number, replica in execution.replicas.items():
                if replica.waits:
                    replica.start(self._scene.now())
                    execution.attempts += 1
                    env.setdefault(tuple(execution.run or ()), {})[number] = execution.variables(self._scene.service)
        for run, told_each in env.items():
            self._scene.services.execute(self._scene.service, told_each, run or None)

    def _begin(
        self, trigger: str, why: str, moment: float, env: Mapping[str, str] | None = None,
        run: Sequence[str] | None = None,
    ) -> Execution:  # fmt: skip
        if not self._room:
            raise NoRoom(
                f"an execution was {why}, and {self._scene.rule.max} run already",
                fix="raise `scale.max` of the service",
            )
        name = f"{self._scene.service}-{len(self._all) + 1}"
        execution = Execution(name, trigger, why, moment - self._scene.began, env or {}, run)
        taken = {number for each in self._running for number in each.replicas}
        free = [number for number in range(self._scene.rule.most) if number not in taken]
        execution.numbers = free[: self._job.parallelism]
        execution.replicas = {number: _Replica() for number in execution.numbers}
        self._all.append(execution)
        return execution

    # -- ending --------------------------------------------------------------------------------------------------------

    def see(self, exit_: Exit) -> None:
        for execution in self._running:
            replica = execution.replicas.get(exit_.replica)
            if replica is not None and not replica.waits and exit_.at >= replica.launched:
                how = f"signal {-exit_.code}" if exit_.code < 0 else f"code {exit_.code}"
                self._replica_ended(execution, exit_.replica, f"exited with {how}" if exit_.code else "")

    def _end_overdue(self, moment: float) -> None:
        for execution in self._running:
            for number, replica in list(execution.replicas.items()):
                if execution.status == "running" and not replica.waits and replica.since + self._job.timeout <= moment:
                    why = f"has taken {format_duration(self._job.timeout)}"
                    self._scene.note(f"replica {number} of {execution.name} {why}: ended")
                    self._scene.services.stop(f"{self._scene.service}.{number}")
                    self._replica_ended(execution, number, why)

    def _replica_ended(self, execution: Execution, number: int, trouble: str) -> None:
        """One has ended, because of `trouble` or, where that is empty, as it should."""
        if execution.status != "running":
            return
        replica = execution.replicas[number]
        if trouble and replica.tries <= self._job.retries:
            replica.waits = True
            self._scene.note(f"replica {number} of {execution.name} {trouble}: to be started again")
            self.wake()
            return
        del execution.replicas[number]
        if trouble:
            execution.failed += 1
            tries = f" at the last of {replica.tries} attempts" if replica.tries > 1 else ""
            execution.reason = f"{self._scene.service}.{number} {trouble}{tries}"
        else:
            execution.succeeded += 1
        execution.status = status(self._job, execution.succeeded, execution.failed)
        if execution.status != "running":
            self._end(execution)

    def _end(self, execution: Execution) -> None:
        """End the replicas that nobody waits for any more, and tell how it ended."""
        for number, replica in execution.replicas.items():
            if not replica.waits:
                self._scene.services.stop(f"{self._scene.service}.{number}")
        execution.replicas.clear()
        execution.ended_at = self._scene.now() - self._scene.began
        self._history.steps.append(len(self._running))
        self._scene.note(
            f"execution {execution.name} {execution.status}" + (f": {execution.reason}" if execution.reason else "")
        )

    def facts(self) -> dict[str, Any]:
        running = self._running
        return {
            "replicas": sum(len(each.replicas) for each in running),
            **self._history.facts(),
            "begun": len(self._all),
            "executions": [each.facts(self._scene.service) for each in self._all],
            "next_due": None
            if self._cron_due == NEVER
            else f"{datetime.fromtimestamp(self._cron_due, UTC):%Y-%m-%dT%H:%M:%SZ}",
        }


def _missed(count: int) -> str:
    return f"{count} missed" if count < 99 else "99 or more missed"
