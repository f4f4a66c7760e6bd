"""What a case may use at most: `budget` of a scenario's case."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from peeklock.scenario.document import DataPath, Document
from peeklock.scenario.durations import Duration
from peeklock.scenario.errors import Problem, suggestion
from peeklock.scenario.fields import Model
from peeklock.scenario.sizes import Size
from peeklock.scenario.topology import Stack

_Count = Annotated[int, Field(ge=0)]


class Latency(Model):
    """How long operations may take: at least one of the two."""

    p95: Duration | None = Field(None, gt=0, description="of twenty operations, nineteen take no longer")
    max: Duration | None = Field(None, gt=0, description="the slowest takes no longer")

    @model_validator(mode="after")
    def _some(self) -> Self:
        if self.p95 is None and self.max is None:
            raise ValueError("say p95 or max, or both")
        return self


class HttpBudget(Latency):
    """How long the requests of `http` steps may take."""

    service: str | None = None
    path: str | None = Field(None, pattern="^/", description="without the query; * is any part of it, as in /orders/*")


class SpanBudget(Latency):
    """How long spans may take, which needs telemetry."""

    service: str | None = None
    name: str | None = Field(None, description="the whole name")


class ServiceBudget(Model):
    """What a service may use."""

    cpu: Duration | None = Field(None, gt=0, description="of all of its replicas together, during the case")
    memory: Size | None = Field(None, gt=0, description="the most that one replica holds at a time, resident")

    @model_validator(mode="after")
    def _some(self) -> Self:
        if self.cpu is None and self.memory is None:
            raise ValueError("say cpu or memory, or both")
        return self


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, dict) else value


class Budget(Model):
    """What must not be exceeded at the end of a case."""

    http: Annotated[
        list[HttpBudget], BeforeValidator(_listed, json_schema_input_type=HttpBudget | list[HttpBudget])
    ] = Field([], description="requests of `http` steps; a list for several kinds")
    spans: Annotated[
        list[SpanBudget], BeforeValidator(_listed, json_schema_input_type=SpanBudget | list[SpanBudget])
    ] = Field([], description="what services trace; a list for several kinds")
    deliveries: dict[str, _Count] = Field({}, description="queue or subscription → how often one message is delivered")
    messages: dict[str, _Count] = Field({}, description="queue or topic → how many messages are sent to it")
    requests: dict[str, _Count] = Field({}, description="stand-in → how often it is asked")
    services: dict[str, ServiceBudget] = Field({}, description="service → what it uses (Linux)")


def budget_problems(
    budgets: Mapping[str, Budget | None], stack: Stack, services: Iterable[str], document: Document
) -> Iterator[Problem]:
    """Yield what budgets (by the keys of their cases) name that the file does not declare."""
    bus = stack.servicebus
    received = bus.receivable() if bus else {}
    sent = {**received, **bus.topics} if bus else {}
    standins = [
        *stack.http,
        *(["openai"] if stack.openai is not None else []),
        *(["blobs"] if stack.has_blob_door else []),
    ]
    for case, budget in budgets.items():
        if budget is None:
            continue
        at: DataPath = ("cases", case, "budget")
        if budget.spans and stack.telemetry is None:
            fix = "write `telemetry: true` in its `stack`"
            yield document.problem((*at, "spans"), "spans need telemetry, which the file does not ask for", fix=fix)
        named = [(each.service, (*at, kind)) for kind in ("http", "spans") for each in getattr(budget, kind)]
        wanted: list[tuple[str, str | None, DataPath, Iterable[str]]] = [
            ("service", service, path, services) for service, path in named
        ]
        for kind, key, known in (
            ("queue or subscription", "deliveries", received),
            ("queue or topic", "messages", sent),
            ("stand-in", "requests", standins),
            ("service", "services", services),
        ):
            wanted += [(kind, name, (*at, key, name), known) for name in getattr(budget, key)]
        for kind, name, path, known in wanted:
            if name is not None and name not in known:
                expected = "one of " + ", ".join(sorted(known)) if known else f"the file declares no {kind}"
                yield document.problem(
                    path, f'there is no {kind} "{name}"', expected=expected, fix=suggestion(name, known), at_key=True
                )
