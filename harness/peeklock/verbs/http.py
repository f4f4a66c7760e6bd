"""`http: {post: /v1/detectors, json: {…}}` — a request to a service, or to any URL."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
from pydantic import Field, model_validator

from peeklock.engine.context import CaseContext
from peeklock.engine.failure import VerbFailed
from peeklock.engine.verb import Found, Verb
from peeklock.redaction import redact
from peeklock.scenario.durations import Duration
from peeklock.scenario.topology import FilePath, Model
from peeklock.scenario.values import resolve
from peeklock.scenario.vocabulary import Complaint, Facts, undeclared

_METHODS = ("get", "head", "post", "put", "patch", "delete")


class Part(Model):
    """One file of a multipart form."""

    file: FilePath | None = None
    text: str | None = None
    filename: str | None = None
    content_type: str | None = None

    @model_validator(mode="after")
    def _one(self) -> Part:
        if (self.file is None) == (self.text is None):
            raise ValueError("say exactly one of file or text")
        return self


class HttpArguments(Model):
    """One request: a method with its path or URL, and what goes with it."""

    get: str | None = None
    head: str | None = None
    post: str | None = None
    put: str | None = None
    patch: str | None = None
    delete: str | None = None
    on: str | None = Field(None, description="the service that a path goes to; default: defaults.http.service")
    query: dict[str, Any] = {}
    headers: dict[str, str | None] = Field({}, description="null takes a default header away")
    json_: Any = Field(None, alias="json")
    text: str | None = None
    file: FilePath | None = Field(None, description="a file as the body")
    form: dict[str, str | int | float | bool] = {}
    files: dict[str, Part] = Field({}, description="a multipart form, by field")
    timeout: Duration = Field(30.0, gt=0)
    times: int = Field(
        1, ge=1, description="send it so often; `${…}` is looked up anew each time, `${index}` counts from 0"
    )
    parallel: int = Field(1, ge=1, le=100, description="of `times`, so many at once")

    @model_validator(mode="after")
    def _one_method(self) -> HttpArguments:
        if sum(getattr(self, method) is not None for method in _METHODS) != 1:
            raise ValueError("say exactly one of " + ", ".join(_METHODS))
        bodies = [self.json_ is not None, self.text is not None, self.file is not None, bool(self.form or self.files)]
        if sum(bodies) > 1:
            raise ValueError("a request has one body: say one of json, text, file or form with files")
        return self

    @property
    def method(self) -> str:
        """The method in lower case."""
        return next(method for method in _METHODS if getattr(self, method) is not None)

    @property
    def target(self) -> str:
        """The path or URL."""
        return str(getattr(self, self.method))


def run(arguments: HttpArguments, context: CaseContext) -> Found:
    """Send the request and return `{status, headers, json, text, size, seconds}`."""
    return Found(_send(arguments, context))


def run_many(each: Sequence[HttpArguments], context: CaseContext) -> Found:
    """Send them all, `parallel` at once, and return `{count, statuses, responses}`."""
    with ThreadPoolExecutor(max_workers=each[0].parallel) as pool:
        responses = list(pool.map(lambda request: _send(request, context), each))
    statuses: dict[str, int] = {}
    for response in responses:
        statuses[str(response["status"])] = statuses.get(str(response["status"]), 0) + 1
    return Found({"count": len(responses), "statuses": statuses, "responses": responses})


def _send(arguments: HttpArguments, context: CaseContext) -> dict[str, Any]:
    url, actor = arguments.target, "test"
    headers = {"x-correlation-id": context.slug}
    if url.startswith("/"):
        actor = context.service(arguments.on)
        url = context.environment.services.url(actor) + url
        scope = context.file_scope()
        headers |= {
            key.lower(): str(resolve(value, scope))
            for key, value in context.scenario.header.defaults.http.headers.items()
        }
    for key, value in arguments.headers.items():
        headers.pop(key.lower(), None)
        if value is not None:
            headers[key.lower()] = value
    shown = f"{arguments.method.upper()} {redact(url.split('?')[0] if '?' in url else url)}"
    started, began_at = time.monotonic(), time.time()
    if context.deadline.passed:
        raise VerbFailed(f"{shown}: not sent, the case has used up its {context.deadline.seconds:g} s")
    try:
        with _files(arguments) as files:
            response = context.clients.http.request(
                arguments.method,
                url,
                params=arguments.query or None,
                headers=headers,
                timeout=min(arguments.timeout, max(context.deadline.left, 0.1)),
                json=arguments.json_,
                content=_content(arguments),
                data=arguments.form or None,
                files=files or None,
            )
    except httpx.HTTPError as error:
        reason = str(error) or type(error).__name__
        context.note(actor, f"{shown}: {reason}", alarming=True, at=began_at)
        context.environment.check()
        raise VerbFailed(f"{shown}: no answer: {redact(reason)}") from None
    seconds = time.monotonic() - started
    path = httpx.URL(url).path
    if response.status_code >= 500:
        context.environment.check()
    told = f"{arguments.method.upper()} {path} → {response.status_code}"
    context.note(actor, told, alarming=response.status_code >= 500, at=began_at)
    return _facts(response, seconds)


def _facts(response: httpx.Response, seconds: float) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "status": response.status_code,
        "headers": dict(response.headers),
        "size": len(response.content),
        "seconds": round(seconds, 3),
    }
    if "json" in response.headers.get("content-type", ""):
        try:
            return facts | {"json": response.json(), "text": response.text}
        except json.JSONDecodeError:
            return facts | {"text": response.text}
    try:
        return facts | {"text": response.content.decode("utf-8")}
    except UnicodeDecodeError:
        return facts


def _content(arguments: HttpArguments) -> bytes | None:
    if arguments.text is not None:
        return arguments.text.encode()
    return arguments.file.read_bytes() if arguments.file else None


class _files:  # noqa: N801 - used as a function
    """The parts of a multipart form, their files open while the request is sent."""

    def __init__(self, arguments: HttpArguments) -> None:
        self._parts: Mapping[str, Part] = arguments.files
        self._open: list[Any] = []

    def __enter__(self) -> list[tuple[str, Any]]:
        return list(self._each())

    def _each(self) -> Iterator[tuple[str, Any]]:
        for name, part in self._parts.items():
            if part.file is not None:
                handle = part.file.open("rb")
                self._open.append(handle)
                yield name, (part.filename or part.file.name, handle, part.content_type)
            else:
                yield name, (part.filename or name, (part.text or "").encode(), part.content_type)

    def __exit__(self, *_: object) -> None:
        for handle in self._open:
            handle.close()


def _check(raw: Any, facts: Facts) -> list[Complaint]:
    return undeclared("service", raw["on"], facts.processes, ("on",)) if raw.get("on") else []


VERB = Verb(
    "http",
    HttpArguments,
    "a request to a service or a URL",
    observes=lambda raw: isinstance(raw, dict) and ("get" in raw or "head" in raw),
    check=_check,
    run=run,
    run_many=run_many,
)
