"""What a scenario runs: the `services` key of a scenario file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from peeklock.scenario.cron import Cron
from peeklock.scenario.durations import Duration
from peeklock.scenario.fields import FilePath, Model


class Ready(Model):
    """How one knows that a service is ready: exactly one of the two."""

    http: str | None = Field(None, description="a path that answers 2xx", pattern="^/")
    log: str | None = Field(None, description="the `event` of a JSON log line, or a text that a line contains")
    within: Duration = 60.0

    @model_validator(mode="after")
    def _one(self) -> Ready:
        if (self.http is None) == (self.log is None):
            raise ValueError("say exactly one of http or log")
        return self


class Job(Model):
    """Executions of a Container Apps job: each is one process or more, which end by themselves when their work is done."""

    trigger: Literal["event", "schedule", "manual"] = Field(
        "event",
        description="what starts an execution: the queues of the rule, `cron`, or only a step `job: {start: NAME}`",
    )
    cron: Cron | None = Field(
        None, description="when trigger is schedule: minute, hour, day of month, month, day of week, in UTC"
    )
    parallelism: int = Field(1, ge=1, le=50, description="how many replicas an execution starts")
    completion_count: int = Field(
        1, ge=1, description="how many of them must exit with 0 for it to succeed (`replicaCompletionCount`)"
    )
    timeout: Duration = Field(
        1800.0, gt=0, description="a replica that takes longer is ended, and has failed (`replicaTimeout`)"
    )
    retries: int = Field(0, ge=0, description="how often a replica that failed is started again (`replicaRetryLimit`)")
    strategy: Literal["default", "custom", "accurate", "eager"] = Field(
        "default", description="when trigger is event: how the executions that run already count"
    )
    queue_length_deduction: int = Field(0, ge=0, description="of the strategy custom")
    running_percentage: float = Field(0.0, ge=0, le=1, description="of the strategy custom")

    @model_validator(mode="after")
    def _consistent(self) -> Job:
        if self.trigger == "schedule" and self.cron is None:
            raise ValueError('trigger: schedule needs cron, as in cron: "0 2 * * *"')
        if self.trigger != "schedule" and self.cron is not None:
            raise ValueError("cron is of trigger: schedule; say so, or remove cron")
        if self.completion_count > self.parallelism:
            raise ValueError(
                f"completion_count ({self.completion_count}) is above parallelism ({self.parallelism}): "
                "no execution could succeed"
            )
        return self


class QueueRule(Model):
    """A queue that a service is scaled by: KEDA's `azure-servicebus`."""

    queue: str = Field(description="a queue, or a subscription by its path")
    messages: int = Field(5, ge=1, description="how many messages one replica is for (`messageCount`)")
    activation: int = Field(0, ge=0, description="there is work when there are more (`activationMessageCount`)")
    auth: str | None = Field(
        None,
        description="the access rule of the namespace with which KEDA reads the queue: one without Manage sees nothing; "
        "absent: one that sees everything",
    )
    identity: str | None = Field(
        None, description="instead of `auth`, the managed identity as which KEDA reads the queue: it needs Data Owner"
    )

    @model_validator(mode="after")
    def _one(self) -> QueueRule:
        if self.auth is not None and self.identity is not None:
            raise ValueError("say auth or identity: KEDA signs in with one of them")
        return self


class Scale(Model):
    """How a service is scaled, as replicas of a deployment or executions of a job. What it does not say is KEDA's default, or that of Container Apps."""

    queue: str | None = Field(None, description="the only queue, with the settings of its rule beside it")
    messages: int = Field(5, ge=1, description="of the only queue, as in `rules`")
    activation: int = Field(0, ge=0, description="of the only queue, as in `rules`")
    auth: str | None = Field(None, description="of the only queue, as in `rules`")
    identity: str | None = Field(None, description="of the only queue, as in `rules`")
    rules: list[QueueRule] = Field([], description="instead of `queue`: several queues; the largest number wins")
    min: int = Field(0, ge=0, le=50)
    max: int = Field(10, ge=1, le=50, description="replicas, or executions that run at the same time")
    polling: Duration = Field(30.0, gt=0, description="how often the queues are looked at")
    cooldown: Duration = Field(300.0, ge=0, description="how long after the last work until there are no replicas")
    job: Job | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Scale:
        if self.min > self.max:
            raise ValueError(f"min ({self.min}) is above max ({self.max})")
        said = self.model_fields_set
        if self.job is not None and self.job.trigger != "event":
            if idle := sorted(said & {*QueueRule.model_fields, "rules", "polling"}):
                raise ValueError(
                    f"a job with trigger: {self.job.trigger} looks at no queue: remove {' and '.join(idle)}, or the trigger"
                )
        elif self.rules:
            if both := sorted(said & {*QueueRule.model_fields}):
                raise ValueError(f"say {' and '.join(both)} in each of the rules, or have no rules")
        elif self.auth is not None and self.identity is not None:
            raise ValueError("say auth or identity: KEDA signs in with one of them")
        elif self.queue is None:
            raise ValueError("scaled by what? say queue or rules; of a job perhaps trigger: schedule or manual")
        if self.most > MOST_PROCESSES:
            raise ValueError(
                f"max ({self.max}) executions of {self.most // self.max} replicas are {self.most} processes at once, "
                f"more than {MOST_PROCESSES}: lower max"
            )
        return self

    @property
    def queues(self) -> list[QueueRule]:
        """The rules, however they are written."""
        if self.queue is None:
            return self.rules
        return [
            QueueRule(
                queue=self.queue,
                messages=self.messages,
                activation=self.activation,
                auth=self.auth,
                identity=self.identity,
            )
        ]

    def written(self, index: int) -> tuple[str | int, ...]:
        """Return where a rule is written, as seen from `scale`."""
        return () if self.queue is not None else ("rules", index)

    @property
    def most(self) -> int:
        """How many processes there may be at once."""
        return self.max if self.job is None else self.max * self.job.parallelism


MOST_PROCESSES = 100
"""Of one service: each has a port of its own."""


def _several(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class ServiceIdentity(Model):
    """Which identities a service has, and how it is told of them."""

    of: Annotated[list[str], BeforeValidator(_several, json_schema_input_type=str | list[str])] = Field(
        min_length=1, description="the one of the service's own name is system-assigned, others are user-assigned"
    )
    form: Literal["container-apps", "imds", "azure-ml", "workload-identity"] = Field(
        "container-apps", description="where the service runs in production, as Azure's SDKs tell it by variables"
    )


def _service_identity(value: Any) -> Any:
    return {"of": value} if isinstance(value, str | list) else value


class Service(Model):
    """A process or container under test. It is told where its dependencies are by environment variables, and nothing else."""

    run: list[str] | None = Field(
        None, min_length=1, description="the command; `python` is the interpreter that runs peeklock, or the image's"
    )
    image: str | None = Field(
        None,
        description="on the containers backend it runs in a container of this image, by `run` or by the image's own command; "
        "without a `run` it runs there only",
    )
    env: dict[str, str | int | float | bool] = {}
    cwd: FilePath | None = Field(
        None, description="default: the project's root, the nearest parent with a peeklock.yaml, pyproject.toml or .git"
    )
    replicas: int = Field(1, ge=0, le=50, description="of several, each can be named: worker.0, worker.1 …")
    ready: Ready | None = None
    depends_on: list[str] = []
    stop_grace: Duration = Field(10.0, description="from SIGTERM to SIGKILL")
    watch: list[FilePath] = Field(
        [], description="files and folders whose change restarts a warm service; default: cwd"
    )
    identity: Annotated[
        ServiceIdentity | None,
        BeforeValidator(_service_identity, json_schema_input_type=str | list[str] | ServiceIdentity | None),
    ] = Field(
        None,
        description="a managed identity, or several; default: the one of its own name. A service that has one is told no keys",
    )
    scale: Scale | None = Field(None, description="how many replicas there are is up to this rule, within a case")

    @model_validator(mode="after")
    def _one_count(self) -> Service:
        if self.scale is not None and "replicas" in self.model_fields_set:
            raise ValueError("say replicas or scale: a rule decides how many there are")
        return self

    @property
    def initial(self) -> int:
        """How many replicas there are when a case begins."""
        if self.scale is None:
            return self.replicas
        return 0 if self.scale.job is not None else self.scale.min

    @property
    def most(self) -> int:
        """How many replicas there may ever be."""
        return self.replicas if self.scale is None else self.scale.most

    @model_validator(mode="after")
    def _something(self) -> Service:
        if self.run is None and self.image is None:
            raise ValueError("say how it is started: run, image or both")
        return self


class CaseService(Model):
    """What a case changes about a service."""

    env: dict[str, str | int | float | bool] = Field(
        min_length=1, description="variables that it is told besides; it is restarted before the case and after it"
    )


def replica_names(service: str, replicas: int) -> list[str]:
    """Return what the replicas of a service are called: `worker.0`, `worker.1`; the only one is called as its service."""
    return [service] if replicas <= 1 else [f"{service}.{number}" for number in range(replicas)]


def process_names(services: Mapping[str, Service]) -> list[str]:
    """Return every name of something that runs: services, and replicas of those that have several."""
    each = (name for service, facts in services.items() for name in replica_names(service, facts.most))
    return list(dict.fromkeys([*services, *each]))
