"""`http: {post: /v1/detectors, json: {…}}` — a request to a service, or to any URL."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from peeklock.engine.context import CaseContext, Request
from peeklock.engine.exchanges import LONGEST as KEPT_BODY
from peeklock.engine.exchanges import shown_headers
from peeklock.engine.failure import VerbFailed
from peeklock.engine.http_defaults import default_headers, default_service
from peeklock.engine.record import Exchange
from peeklock.engine.verb import Found, Verb
from peeklock.redaction import redact
from peeklock.scenario.http_request import HttpArguments, Part
from peeklock.scenario.values import ValueInvalid
from peeklock.scenario.vocabulary import Complaint, Facts, undeclared

BODY_LIMIT = 64 << 20
"""Bytes of an answer's body, unpacked."""
_IDEMPOTENT = frozenset({"put", "delete"})
_KEY = "idempotency-key"
"""The header with which any request may be repeated."""


def run(arguments: HttpArguments, context: CaseContext) -> Found:
    """Send the request and return `{status, headers, json, text, size, seconds}`."""
    return Found(_all([arguments], context)[0])


def run_many(each: Sequence[HttpArguments], context: CaseContext) -> Found:
    """Send them all, `parallel` at once, and return `{count, statuses, responses}`."""
    responses = _all(each, context)
    statuses = Counter(str(response["status"]) for response in responses)
    return Found({"count": len(responses), "statuses": dict(statuses), "responses": responses})


def _all(each: Sequence[HttpArguments], context: CaseContext) -> list[dict[str, Any]]:
    requests = [_Request.of(arguments, context) for arguments in each]
    try:
        # each request has its own deadline; this one only ends what does not keep to it
        return context.clients.loop.run(_exchange(requests, each[0].parallel, context), context.deadline.left + 1.0)
    except TimeoutError:
        raise VerbFailed(f"{requests[0].shown}: the case has used up its time") from None


async def _exchange(requests: Sequence[_Request], parallel: int, context: CaseContext) -> list[dict[str, Any]]:
    lanes = asyncio.Semaphore(parallel)

    async def one(request: _Request) -> dict[str, Any]:
        async with lanes:
            return await request.send(context)

    try:
        async with asyncio.TaskGroup() as group:
            sent = [group.create_task(one(request)) for request in requests]
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return [task.result() for task in sent]


@dataclass(frozen=True)
class _Request:
    """A request with its names looked up."""

    arguments: HttpArguments
    url: str
    actor: str
    headers: dict[str, str]

    @classmethod
    def of(cls, arguments: HttpArguments, context: CaseContext) -> _Request:
        url, actor = arguments.target, "test"
        defaults: dict[str, str] = {}
        if url.startswith("/"):
            actor = default_service(context, arguments.on)
            url = context.environment.services.url(actor) + url
            defaults = default_headers(context)
        return cls(arguments, url, actor, arguments.sent_headers(context.slug, defaults))

    @property
    def shown(self) -> str:
        return f"{self.arguments.method.upper()} {redact(self.url.split('?')[0])}"

    async def send(self, context: CaseContext) -> dict[str, Any]:
        """Return the facts of the answer. Raises `VerbFailed` when none came, whole and in time."""
        began, began_at = time.monotonic(), time.time()
        seconds = min(self.arguments.timeout, context.deadline.left)
        if not seconds:
            raise VerbFailed(f"{self.shown}: not sent, the case has used up its {context.deadline.seconds:g} s")
        try:
            async with asyncio.timeout(seconds):
                response = await self._answer(context.clients.http)
        except TimeoutError:
            raise self._unanswered(context, f"no whole answer in {seconds:.3g} s", began_at) from None
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, TypeError) as error:
            raise self._unanswered(context, str(error) or type(error).__name__, began_at) from None
        if response.status_code >= 500:
            context.environment.check()
        told = f"{self.arguments.method.upper()} {response.url.path} → {response.status_code}"
        seconds = time.monotonic() - began
        facts = _facts(response, seconds)
        alarming = response.status_code >= 500
        context.note(self.actor, told, alarming=alarming, at=began_at)
        view = {
            **self._view(),
            "status": response.status_code,
            "answer_headers": shown_headers(facts["headers"]),
            "answer_size": facts["size"],
            "answer_body": facts.get("text", "")[:KEPT_BODY] or None,
        }
        request = Request(self.actor, self.arguments.method.upper(), response.url.path, response.status_code, seconds)
        context.spent.requests.append(request)
        context.story.exchanges.add(Exchange(began_at, seconds, "test", self.actor, told, alarming, view))
        return facts

    def _view(self) -> dict[str, Any]:
        """Return what a report shows of the request."""
        arguments = self.arguments
        body = arguments.text
        if arguments.json_ is not None:
            body = json.dumps(arguments.json_, ensure_ascii=False, default=str)
        elif arguments.file is not None:
            body = f"(the file {arguments.file.name})"
        elif arguments.form or arguments.files:
            fields = {
                name: part.text or f"(the file {part.filename or name})" for name, part in arguments.files.items()
            }
            body = json.dumps({**arguments.form, **fields}, ensure_ascii=False, default=str)
        return {
            "method": arguments.method.upper(),
            "url": self.url,
            "query": dict(arguments.query) or None,
            "headers": shown_headers(self.headers),
            "body": body and body[:KEPT_BODY],
        }

    async def _answer(self, client: httpx.AsyncClient) -> httpx.Response:
        with _files(self.arguments) as files:
            request = client.build_request(
                self.arguments.method,
                self.url,
                params=self.arguments.query or None,
                headers=self.headers,
                json=self.arguments.json_,
                content=self.arguments.content,
                data=self.arguments.form or None,
                files=files or None,
            )
            response = await client.send(request, stream=True)
            try:
                body = bytearray()
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > BODY_LIMIT:
                        raise ValueError(f"the answer is longer than {BODY_LIMIT >> 20} MiB")
            finally:
                await response.aclose()
        decoded = {key: value for key, value in response.headers.multi_items() if key != "content-encoding"}
        whole = httpx.Response(response.status_code, headers=decoded, content=bytes(body), request=request)
        whole.headers = response.headers
        return whole

    def _unanswered(self, context: CaseContext, reason: str, at: float) -> VerbFailed:
        told = f"{self.shown}: {redact(reason)}"
        context.note(self.actor, told, alarming=True, at=at)
        view = {**self._view(), "error": reason}
        context.story.exchanges.add(Exchange(at, time.time() - at, "test", self.actor, told, True, view))
        context.environment.check()
        return VerbFailed(f"{self.shown}: no answer: {redact(reason)}")


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
        except (ValueError, RecursionError) as error:
            return facts | {"text": response.text, "json_error": str(error)}
    try:
        return facts | {"text": response.content.decode("utf-8")}
    except UnicodeDecodeError:
        return facts


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
                yield name, (part.filename or name, _written_out(part, name), part.content_type)

    def __exit__(self, *_: object) -> None:
        for handle in self._open:
            handle.close()


def _written_out(part: Part, name: str) -> bytes:
    try:
        return part.written_out
    except ValueInvalid as error:
        raise VerbFailed(error.problem, path=("files", name, "base64")) from None


def _check(raw: Any, facts: Facts) -> list[Complaint]:
    return undeclared("service", raw["on"], facts.processes, ("on",)) if raw.get("on") else []


def _may_be_repeated(raw: Any) -> bool:
    """Tell it of a request that has the same effect however often it comes."""
    if not isinstance(raw, Mapping) or "times" in raw:
        return False
    return bool(_IDEMPOTENT & {*raw}) or _KEY in map(str.lower, raw.get("headers") or ())


VERB = Verb(
    "http",
    HttpArguments,
    "a request to a service or a URL",
    observes=lambda raw: isinstance(raw, dict) and ("get" in raw or "head" in raw),
    repeats=_may_be_repeated,
    check=_check,
    run=run,
    run_many=run_many,
    in_load=True,
)
