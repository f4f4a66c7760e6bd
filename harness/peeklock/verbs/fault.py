"""`fault: {on: servicebus, deliver_twice: jobs}` — break something that a service stands on, until its case is over."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, GetJsonSchemaHandler, create_model, model_validator

from peeklock.durations import format_duration
from peeklock.engine.context import CaseContext
from peeklock.engine.failure import VerbFailed
from peeklock.engine.verb import Found, Verb
from peeklock.errors import PeeklockError
from peeklock.scenario.durations import Duration
from peeklock.scenario.errors import suggestion
from peeklock.scenario.fields import Model
from peeklock.scenario.topology import ServiceBus
from peeklock.scenario.values import is_template
from peeklock.scenario.vocabulary import Complaint, Facts, undeclared
from peeklock.stack.faults import KINDS, Fault

ALL = "all"
"""What `clear` may name besides a target."""


class _Words(Model):
    """What goes with every fault."""

    on: str | None = Field(
        None,
        description="postgres, blobs, servicebus, openai, an HTTP stand-in, a service, or one replica of it (api.1)",
    )
    clear: str | None = Field(None, description="end the faults at a target, or `all`")
    for_: Duration | None = Field(
        None, alias="for", gt=0, description="how long; absent: until cleared, or its case ends"
    )
    times: int | None = Field(None, ge=1, description="after how many strikes it is over")
    kind: str | None = Field(None, description="the kind by its name, which may be a `${…}`, as of a matrix")
    settings: Any = Field(None, description="of `kind`, what would stand at its own key; absent: true")

    @model_validator(mode="before")
    @classmethod
    def _by_name(cls, raw: Any) -> Any:
        return _written_out(raw)

    @model_validator(mode="after")
    def _one(self) -> _Words:
        kinds = [kind for kind in KINDS if getattr(self, kind) is not None]
        if self.clear is not None:
            if self.on is not None or kinds or self.for_ is not None or self.times is not None:
                raise ValueError("clear stands alone")
            return self
        if self.on is None:
            raise ValueError("say where with on, or what to end with clear")
        if self.settings is not None and self.kind is None:
            raise ValueError("settings go with kind; a fault at its own key has them there")
        if self.kind is not None:  # a `${…}`, which is read again when it is looked up
            if kinds:
                raise ValueError(f"say kind, or {kinds[0]}")
            return self
        if len(kinds) != 1:
            raise ValueError(f"say exactly one of {', '.join(sorted(KINDS))}")
        kind = KINDS[kinds[0]]
        if self.times is not None and not kind.counted:
            raise ValueError(f"{kind.kind} has no times: it {_span(kind)}")
        if self.for_ is not None and kind.layer == "broker":
            raise ValueError(f"{kind.kind} takes no for: it {_span(kind)}")
        return self

    @property
    def fault(self) -> Fault:
        """The fault that is asked for."""
        found: Fault = next(fault for kind in KINDS if (fault := getattr(self, kind)) is not None)
        return found


def _written_out(raw: Any) -> Any:
    """Return arguments with a kind that is named at its own key. Raises `ValueError` when there is none of the name."""
    kind = raw.get("kind") if isinstance(raw, dict) else None
    if not isinstance(kind, str) or is_template(kind):
        return raw
    if kind not in KINDS:
        near = suggestion(kind, KINDS)
        raise ValueError(
            f'there is no fault "{kind}"' + (f": {near}" if near else f": one of {', '.join(sorted(KINDS))}")
        )
    settings = raw.get("settings")
    if kind in raw:
        raise ValueError(f"say kind, or {kind}")
    rest = {key: value for key, value in raw.items() if key not in ("kind", "settings")}
    return {**rest, kind: True if settings is None else settings}


def _span(kind: type[Fault]) -> str:
    if kind.layer == "broker":
        return "is over after its times" if kind.counted else "strikes once, now"
    return "lasts until it is cleared"


class _Short:
    """The short form of a fault: a bare value for its main setting, `true` when it needs none."""

    def __init__(self, fault: type[Fault]) -> None:
        self._fault = fault

    def __call__(self, value: Any) -> Any:
        if value is True:
            return {}
        return value if isinstance(value, dict | Fault) or value is None else {self._fault.short or "true": value}

    def __get_pydantic_json_schema__(self, core: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        whole = handler(core)
        main = handler.resolve_ref_schema(handler(core)).get("properties", {}).get(self._fault.short)
        bare = [main] if main else []
        needed = any(field.is_required() for field in self._fault.model_fields.values())
        return {"anyOf": [whole, *bare, *([] if needed else [{"const": True}])]}


_FIELDS: Any = {
    kind: (
        Annotated[fault, short, BeforeValidator(short)] | None,
        Field(None, description=fault.summary),
    )
    for kind, fault in KINDS.items()
    for short in (_Short(fault),)
}
FaultArguments = create_model("FaultArguments", __base__=_Words, __doc__="A fault, or the end of some.", **_FIELDS)


def run(arguments: _Words, context: CaseContext) -> Found:
    """Return `{struck}`: how often those that were cleared have struck; at the begin, how often it has struck at once."""
    faults = context.environment.faults
    try:
        if arguments.clear is not None:
            struck = faults.end(None if arguments.clear == ALL else arguments.clear)
            context.note("test", f"faults on {arguments.clear} cleared")
            return Found({"struck": struck})
        fault, target = arguments.fault, str(arguments.on)
        if not may_strike(fault, target):  # known only now where the kind is a `${…}`
            raise VerbFailed(f"{fault.kind} is a fault of {_OF[fault.layer]}, not of {target}", path=("on",))
        context.note("test", f"fault {fault.kind} on {target}{_limits(arguments)}")
        times = (arguments.times or 1) if fault.layer == "broker" else arguments.times
        return Found({"struck": faults.begin(target, fault, times, arguments.for_)})
    except PeeklockError as error:
        raise VerbFailed(str(error)) from None


def may_strike(fault: Fault | type[Fault], target: str) -> bool:
    """Tell whether a fault can strike at a target, which is one."""
    match fault.layer:
        case "broker" | "openai" | "postgres":
            return target == _ONLY[fault.layer]
        case "http":
            return target not in ("postgres", "servicebus")
        case _:
            return True


def _limits(arguments: _Words) -> str:
    lasting = f" for {format_duration(arguments.for_)}" if arguments.for_ is not None else ""
    return lasting + (f", {arguments.times} times" if arguments.times is not None else "")


def _check(raw: Any, facts: Facts) -> list[Complaint]:
    stack = facts.stack
    declared = [kind for kind in ("postgres", "blobs", "servicebus", "openai") if getattr(stack, kind) is not None]
    targets = [*declared, *stack.http, *facts.processes]
    if "clear" in raw:
        return undeclared("target", raw["clear"], [*targets, ALL], ("clear",))
    if unknown := undeclared("target", raw.get("on"), targets, ("on",)):
        return unknown
    raw = _written_out(raw)
    if "kind" in raw:
        return []
    kind = next(kind for kind in KINDS if kind in raw)
    fault, target = KINDS[kind], raw["on"]
    if not is_template(target):
        possible = [name for name in targets if may_strike(fault, name)] or [_ONLY.get(fault.layer, "")]
        if target not in possible:
            what = f"{kind} is a fault of {_OF[fault.layer]}"
            return [Complaint(("on",), what, "one of " + ", ".join(possible), "choose another target or another fault")]
    if fault.layer == "openai":
        deployment = raw[kind].get("deployment") if isinstance(raw[kind], dict) else None
        return undeclared(
            "deployment", deployment, stack.openai.deployments if stack.openai else {}, (kind, "deployment")
        )
    if fault.layer == "postgres":
        by = raw[kind].get("by") if isinstance(raw[kind], dict) else None
        return undeclared("service", by, facts.services, (kind, "by"))
    if fault.layer == "broker":
        settings = raw[kind] if isinstance(raw[kind], dict) else {"queue": raw[kind]}
        entities = {**(stack.servicebus or ServiceBus()).receivable(), **(stack.servicebus or ServiceBus()).topics}
        return [
            *undeclared("queue", settings.get("queue"), entities, (kind,)),
            *undeclared("service", settings.get("by"), facts.processes, (kind, "by")),
        ]
    return []


_OF = {
    "broker": "the Service Bus",
    "openai": "Azure OpenAI",
    "http": "what speaks HTTP",
    "postgres": "Postgres",
    "network": "any connection",
}

_ONLY = {"broker": "servicebus", "openai": "openai", "postgres": "postgres"}
"""Where alone the faults of a layer strike."""

VERB = Verb(
    "fault",
    FaultArguments,
    "break what services stand on; every fault ends with its case",
    check=_check,
    requires=("faults",),
    run=run,
)
