"""HTTP stand-ins of a scenario: `stack.http`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BeforeValidator, Field, model_validator

from peeklock.scenario.durations import Duration
from peeklock.scenario.fields import FilePath, FunctionName, Model

METHODS = ("get", "post", "put", "patch", "delete", "head", "options")
BODILESS = frozenset({204, 205, 304})
_ONE_LINE = r"^[^\r\n]*$"
STARTED = "started"
"""The state of a stand-in when a case begins."""
_PARAMETER = re.compile(r"\{([A-Za-z_]\w*)(\*?)\}")


class PathPattern(NamedTuple):
    """A path with `{parameters}`."""

    text: str
    regex: re.Pattern[str]

    def covers(self, other: PathPattern) -> bool:
        """Tell whether every path of `other` is one of this one's, as far as can be told from how they are written."""
        written = _PARAMETER.sub(lambda found: "\0/\0" if found.group(2) else "\0", other.text)
        return self.regex.fullmatch(written) is not None

    def sample(self) -> str:
        """Return one of its paths."""
        return _PARAMETER.sub("x", self.text)

    @property
    def parameters(self) -> list[str]:
        """Their names."""
        return list(self.regex.groupindex)


def path_pattern(text: str) -> PathPattern:
    """Return the pattern: `{name}` is what stands between two slashes or a part of it, `{name*}` all the rest.

    Raises `ValueError` with what is wrong.
    """
    if not text.startswith("/"):
        raise ValueError(f"not a path: {text!r} (it begins with /, without the host)")
    if "${" in text:
        raise ValueError(f"not a path: {text!r} (a parameter is {{name}}, without the dollar sign)")
    if (near := re.search(r"\}\{", text)) is not None:
        raise ValueError(f"nothing parts the parameters in {text!r}: {text[: near.end()]}…")
    names = [name for name, _ in _PARAMETER.findall(text)]
    if any(sign in _PARAMETER.sub("", text) for sign in "{}"):
        raise ValueError(f"not a parameter in {text!r}: write {{name}}, or {{name*}} for the whole rest of the path")
    if any(sign in _PARAMETER.sub("", text) for sign in "?# "):
        raise ValueError(f"not a path: {text!r} (for the query say when: {{query: {{…}}}})")
    if (twice := next((name for name in names if names.count(name) > 1), None)) is not None:
        raise ValueError(f"{text!r} has two parameters {{{twice}}}")
    pattern, end = "", 0
    for found in _PARAMETER.finditer(text):
        pattern += re.escape(text[end : found.start()])
        if found.group(2) and found.end() != len(text):
            raise ValueError(f"{{{found.group(1)}*}} in {text!r} is all the rest, so nothing can stand behind it")
        pattern += f"(?P<{found.group(1)}>{'.*' if found.group(2) else '[^/]+'})"
        end = found.end()
    return PathPattern(text, re.compile(pattern + re.escape(text[end:]), re.DOTALL))


def _path(value: Any) -> Any:
    if isinstance(value, str):
        path_pattern(value)
    return value


RoutePath = Annotated[str, BeforeValidator(_path, json_schema_input_type=str)]
"""A path, perhaps with `{parameters}`."""


class Chunk(Model):
    """A piece of a streamed answer."""

    text: str | None = None
    json_: Any = Field(None, alias="json", description="a value, on a line of its own")
    delay: Duration | None = Field(None, gt=0, description="how long after the piece before it")

    @model_validator(mode="after")
    def _one(self) -> Chunk:
        if (self.text is None) == ("json_" not in self.model_fields_set):
            raise ValueError("say text or json")
        return self


class SentEvent(Model):
    """One server-sent event."""

    event: str | None = Field(None, pattern=_ONE_LINE, description="its type")
    id: str | None = Field(None, pattern=_ONE_LINE)
    data: Any = Field(None, description="a text, or a value that goes out as JSON")
    delay: Duration | None = Field(None, gt=0, description="how long after the event before it")


class HttpAnswer(Model):
    """What a route answers: a status, headers, and at most one body."""

    status: int = Field(200, ge=200, le=599)
    headers: dict[str, str] = {}
    json_: Any = Field(None, alias="json", description="a value; `${request.…}` is a part of the request")
    text: str | None = Field(None, description="a text; `${request.…}` is a part of the request")
    file: FilePath | None = Field(None, description="the bytes of a file; its name tells the content type")
    template: FilePath | None = Field(None, description="the text of a file with every `${…}` in it looked up")
    python: FunctionName | None = Field(
        None, description="`answers:score` is score(request): a value, or {status, headers, json|text|data}"
    )
    chunks: list[Chunk] | None = Field(None, min_length=1, description="pieces that go out one after the other")
    events: list[SentEvent] | None = Field(None, min_length=1, description="server-sent events, one after the other")
    delay: Duration | None = Field(None, gt=0, description="how long it takes")

    @model_validator(mode="after")
    def _consistent(self) -> HttpAnswer:
        said = [word for word in BODIES if _NAMES.get(word, word) in self.model_fields_set]
        if len(said) > 1:
            raise ValueError(f"say at most one of {', '.join(BODIES)}: here are {' and '.join(said)}")
        if said and self.status in BODILESS:
            raise ValueError(f"an answer {self.status} has no body: leave {said[0]} out")
        for name, value in self.headers.items():
            if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
                raise ValueError(f"not a header's name: {name!r}")
            if name.lower() in _OURS:
                raise ValueError(f"the header {name} is made from the body: leave it out")
            if "\n" in value or "\r" in value:
                raise ValueError(f"the header {name} has a line break")
        if self.file is not None and self.file.suffix == ".json" and self.file.is_file():
            try:
                json.loads(self.file.read_bytes())
            except ValueError as error:
                raise ValueError(f"{self.file.name} is not JSON: {error}") from None
        return self

    @property
    def body(self) -> str:
        """The word by which its body is written; empty for none."""
        return next((word for word in BODIES if _NAMES.get(word, word) in self.model_fields_set), "")


BODIES = ("json", "text", "file", "template", "python", "chunks", "events")
_NAMES = {"json": "json_"}
_OURS = ("content-length", "transfer-encoding", "connection")


class State(Model):
    """What a route asks of the stand-in's state, and what it makes of it."""

    is_: str | None = Field(
        None, alias="is", description=f"it answers in this state only; a case begins in `{STARTED}`"
    )
    becomes: str | None = Field(None, description="the state after its answer")
    of: str | None = Field(
        None, description="what has the state, as in ${request.parameters.id}; absent: the stand-in as a whole"
    )

    @model_validator(mode="after")
    def _something(self) -> State:
        if self.is_ is None and self.becomes is None:
            raise ValueError("say is, becomes or both")
        return self


class Route(Model):
    """Which requests, and what they are answered."""

    get: RoutePath | None = Field(None, description="a path; `{name}` in it is a parameter, `{name*}` all the rest")
    post: RoutePath | None = None
    put: RoutePath | None = None
    patch: RoutePath | None = None
    delete: RoutePath | None = None
    head: RoutePath | None = None
    options: RoutePath | None = None
    any: RoutePath | None = Field(None, description="a path, whatever the method")
    when: dict[str, Any] | None = Field(
        None, description="matchers for the request: query, headers, body, parameters …; absent: every request"
    )
    state: State | None = None
    respond: HttpAnswer | None = Field(None, description="the answer to every request")
    sequence: list[HttpAnswer] | None = Field(
        None, min_length=1, description="the first request gets the first; after the last the route answers no more"
    )

    @model_validator(mode="after")
    def _one(self) -> Route:
        if len(self._written()) != 1:
            raise ValueError(f"say exactly one of {', '.join((*METHODS, 'any'))}, with a path")
        if (self.respond is None) == (self.sequence is None):
            raise ValueError("say respond or sequence")
        return self

    def _written(self) -> list[str]:
        return [word for word in (*METHODS, "any") if getattr(self, word) is not None]

    @property
    def method(self) -> str:
        """In capitals; empty for any."""
        word = self._written()[0]
        return "" if word == "any" else word.upper()

    @property
    def path(self) -> str:
        """As it is written."""
        return str(getattr(self, self._written()[0]))

    @property
    def title(self) -> str:
        """For people."""
        return f"{self.method or 'any'} {self.path}"

    @property
    def answers(self) -> list[HttpAnswer]:
        """All that it may answer."""
        return self.sequence or ([self.respond] if self.respond is not None else [])

    def hides(self, later: Route) -> bool:
        """Tell whether it answers every request that a later one could."""
        return (
            self.sequence is None
            and self.state is None
            and self.method in ("", later.method)
            and (not self.when or self.when == later.when)
            and path_pattern(self.path).covers(path_pattern(later.path))
        )

    def unreached(self, earlier: list[Route]) -> int | None:
        """Return which of the routes before it answers all of its requests; None for none."""
        return next((index for index, each in enumerate(earlier) if each.hides(self)), None)


def _host(value: Any) -> Any:
    if isinstance(value, str) and not re.fullmatch(
        r"(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]*", value
    ):
        raise ValueError(f"not a host's name: {value!r} (lower case, with its domain, without https:// and port)")
    return value


HostName = Annotated[str, BeforeValidator(_host, json_schema_input_type=str)]
"""In full, as in api.example.com."""


class HttpStandIn(Model):
    """A stand-in for something that speaks HTTP and is not the system's own."""

    contract: FilePath | None = Field(
        None,
        description="OpenAPI 3: `contracts_hold` holds every request and answer to it, and its examples answer what no route does",
    )
    host: HostName | None = Field(
        None, description="its host in production, in full: for services, it leads here, over TLS"
    )
    tls: bool = Field(False, description="also over TLS, at ${http.NAME.https_url}")
    kind: Literal["azure_ml"] | None = Field(
        None, description="whose manners it has: those of an Azure ML online endpoint"
    )
    deployments: list[str] = Field(
        ["default"], min_length=1, description="azure_ml: the first answers where `azureml-model-deployment` names none"
    )
    request_timeout: Duration = Field(5.0, gt=0, le=180, description="azure_ml: 408 for an answer that takes longer")
    max_concurrent_requests_per_instance: int = Field(
        1, ge=1, description="azure_ml: twice as many are let in, then 429"
    )
    instance_count: int = Field(1, ge=1, description="azure_ml")
    routes: list[Route] = Field([], description="the first that fits answers; a request that none fits fails the case")

    @model_validator(mode="after")
    def _something(self) -> HttpStandIn:
        if not self.routes and self.contract is None:
            raise ValueError("say routes, at least one, or contract")
        if self.kind is None and (said := self.model_fields_set - {"contract", "host", "kind", "routes", "tls"}):
            raise ValueError(f"{min(said)} goes with kind: azure_ml")
        return self


def states(standin: HttpStandIn) -> Iterator[str]:
    """Yield every state that a stand-in can be in."""
    yield STARTED
    yield from (route.state.becomes for route in standin.routes if route.state and route.state.becomes)


_TAKEN = ("all", "blobs", "identities", "login", "openai", "postgres", "servicebus", "telemetry", "test")


def _name(value: Any) -> Any:
    if isinstance(value, str) and value in _TAKEN:
        raise ValueError(f"{value!r} means something else already: give the stand-in another name")
    if isinstance(value, str) and not re.fullmatch(r"[A-Za-z_][\w-]{0,62}", value):
        raise ValueError(f"not a stand-in's name: {value!r} (letters, digits, _ and -, a letter first)")
    return value


HttpName = Annotated[str, BeforeValidator(_name, json_schema_input_type=str)]
