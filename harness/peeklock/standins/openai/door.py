"""The door of the stand-in: paths, keys, errors, and what goes into the journal."""

from __future__ import annotations

import asyncio
import functools
import hmac
import json
import ssl
import time
import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

import httpx

from peeklock.errors import PeeklockError
from peeklock.scenario.roles import ROLES
from peeklock.servicebus.auth import TokenRefused
from peeklock.servicebus.http import HttpLimits, HttpReply, HttpRequest, HttpService
from peeklock.servicebus.loopback import is_loopback
from peeklock.standins.active_faults import ActiveFaults
from peeklock.standins.journal import Entry, Journal
from peeklock.standins.openai import errors
from peeklock.standins.openai.deployment import NoAnswer, OpenAIDeployment
from peeklock.standins.openai.embeddings import embeddings
from peeklock.standins.openai.errors import OpenAIError
from peeklock.standins.openai.faults import OpenAIFault
from peeklock.standins.openai.reply import Reply
from peeklock.standins.openai.request import OpenAIRequest, Operation, Picture, pictures_of
from peeklock.standins.stand_in import Caller, Surroundings
from peeklock.trace_context import trace_view

LARGEST = 64 << 20
"""Bytes of a request."""
AUDIENCE = "https://cognitiveservices.azure.com"
"""Of tokens for Azure OpenAI."""
_LINK_SECONDS = 10.0
_OPERATIONS: Mapping[tuple[str, ...], Operation] = {
    ("chat", "completions"): "chat_completions",
    ("embeddings",): "embeddings",
}
_CALLED = {"chat_completions": "chatCompletion", "embeddings": "embeddings"}
assert set(_CALLED) == set(get_args(Operation))


class _Refused(Exception):
    def __init__(self, error: OpenAIError) -> None:
        self.error = error


class OpenAIDoor(HttpService):
    """Answers `/openai/deployments/NAME/…?api-version=…` and `/openai/v1/…`."""

    cancels = True

    def __init__(
        self,
        deployments: Mapping[str, OpenAIDeployment],
        keys: Mapping[str, str],
        journal: Journal,
        faults: ActiveFaults[Any],
        surroundings: Surroundings,
    ) -> None:
        super().__init__(HttpLimits(body=LARGEST), lambda *_, **__: None)
        self._deployments, self._journal, self._faults = deployments, journal, faults
        self._now, self._bearer, self._transports = surroundings.now, surroundings.bearer, surroundings.transports
        self._callers = {key.encode(): service for service, key in keys.items()}

    def refusal(self, status: int, reason: str) -> HttpReply:
        """Say no to what is no request of the service's."""
        return OpenAIError(status, {"code": str(status), "message": reason}).reply()

    async def answer(self, request: HttpRequest) -> HttpReply:
        """Answer one request, and keep it in the journal."""
        life, began = self._journal.life, time.monotonic()
        seen: dict[str, Any] = {}
        problem = ""
        try:
            reply = await self._answer(request, seen)
        except _Refused as refused:
            seen |= {"status": refused.error.status, "error": refused.error.code}
            reply = refused.error.reply()
        except NoAnswer as missing:
            problem = str(missing)
            error = errors.no_answer(missing.problem)
            seen |= {"status": error.status, "error": error.code}
            reply = error.reply()
        except Exception as error:  # noqa: BLE001  whatever it is, the client and the case are told
            problem = str(error) if isinstance(error, PeeklockError) else f"unforeseen {type(error).__name__}: {error}"
            seen |= {"status": 500, "error": "InternalServerError"}
            reply = errors.internal_error(500).reply()
        at = time.time()
        view = {"method": request.method, "path": request.path, **trace_view(request.headers), **seen}
        how = view.get("fault") or view.get("error") or (f"answers[{view['rule']}]" if "rule" in view else "")
        summary = f"{view.get('deployment', request.path)} {view['status']} {how}".strip()
        self._journal.add(life, Entry(at, view, summary, problem, time.monotonic() - began))
        ids = (("x-request-id", str(uuid.uuid4())), ("apim-request-id", str(uuid.uuid4())))
        return replace(reply, headers=(*reply.headers, *ids))

    async def _answer(self, http: HttpRequest, seen: dict[str, Any]) -> HttpReply:
        caller = self._caller(http)
        request = self._decoded(http, caller)
        seen |= request.view()
        self._admit(caller, request.operation)
        deployment = self._deployments.get(request.deployment)
        if deployment is None:
            raise _Refused(errors.deployment_not_found())
        if (request.operation == "embeddings") != (deployment.spec.embeddings is not None):
            raise _Refused(errors.operation_not_supported(_CALLED[request.operation], deployment.model))
        fault = self._faults.strike(
            lambda each: (
                each.deployment in (None, request.deployment)
                and (deployment.spec.embeddings is None or each.refusal() is not None)
            ),
            lambda each: f"{each.kind} struck a request to {request.deployment}",
        )
        if fault is not None:
            seen["fault"] = fault.kind
            if (error := fault.refusal()) is not None:
                raise _Refused(error)
        if any(each.url for each in request.pictures):
            await _follow(request.pictures, self._transports())
        seen |= request.view()
        if deployment.spec.embeddings is not None:
            body = self._embeddings(request, deployment)
            seen["status"] = 200
            return HttpReply(200, json.dumps(body).encode())
        reply, seen["rule"] = await deployment.answer(request, int(self._now()))
        return self._sent(request, _spoilt(reply, fault), seen)

    def _sent(self, request: OpenAIRequest, reply: Reply, seen: dict[str, Any]) -> HttpReply:
        seen |= {"status": 200, "answer": reply.content, "finish_reason": reply.finish_reason}
        if not request.stream:
            return HttpReply(200, json.dumps(reply.completion()).encode())
        options = request.body.get("stream_options")
        usage = isinstance(options, dict) and options.get("include_usage") is True
        return HttpReply(200, kind="text/event-stream", stream=lambda _: reply.stream(usage))

    def _embeddings(self, request: OpenAIRequest, deployment: OpenAIDeployment) -> dict[str, Any]:
        assert deployment.spec.embeddings is not None
        wanted = request.body.get("dimensions")
        dimensions = wanted if isinstance(wanted, int) and 0 < wanted <= 8192 else deployment.spec.embeddings.dimensions
        encoding = str(request.body.get("encoding_format", "float"))
        return embeddings(request.inputs(), dimensions, deployment.model, encoding)

    def _caller(self, http: HttpRequest) -> str | Caller:
        """Return whose key a request has, or whose token. A key is also taken as a bearer token, as `/openai/v1` takes it."""
        kind, _, bearer = http.headers.get("authorization", "").partition(" ")
        bearer = bearer.strip() if kind.lower() == "bearer" else ""
        key = http.headers.get("api-key", "")
        given = (key or bearer).encode("latin-1")
        for known, service in self._callers.items():
            if hmac.compare_digest(known, given):
                return service
        if key or not bearer or self._bearer is None:
            raise _Refused(errors.access_denied())
        try:
            return self._bearer(bearer, AUDIENCE)
        except TokenRefused:
            raise _Refused(errors.bad_token()) from None

    def _admit(self, caller: str | Caller, operation: Operation) -> None:
        if isinstance(caller, Caller) and not set(caller.roles) & set(ROLES["openai"]):
            path = "/".join(next(path for path, known in _OPERATIONS.items() if known == operation))
            raise _Refused(errors.permission_denied(caller.object_id, path, path))

    def _decoded(self, http: HttpRequest, caller: str | Caller) -> OpenAIRequest:
        match http.parts:
            case ["openai", "deployments", name, *rest]:
                version = http.query.get("api-version", [""])[0]
                operation = _OPERATIONS.get(tuple(rest)) if version else None
            case ["openai", "v1", *rest]:
                name, version, operation = "", http.query.get("api-version", [""])[0], _OPERATIONS.get(tuple(rest))
            case _:
                name, version, operation = "", "", None
        if operation is None or http.method != "POST":
            raise _Refused(errors.resource_not_found())
        try:
            body = json.loads(http.body)
        except (ValueError, RecursionError):
            body = None
        if not isinstance(body, dict):
            raise _Refused(errors.bad_request("We could not parse the JSON body of your request."))
        needed = "input" if operation == "embeddings" else "messages"
        if not body.get(needed):
            message = f"Missing required parameter: '{needed}'."
            raise _Refused(errors.bad_request(message, needed, "missing_required_parameter"))
        try:
            found = pictures_of(body)
        except ValueError as error:
            raise _Refused(errors.bad_request(str(error), code="invalid_image_url")) from None
        deployment = name or str(body.get("model", ""))
        api: Literal["deployments", "v1"] = "deployments" if name else "v1"
        if not isinstance(caller, Caller):
            return OpenAIRequest(operation, api, deployment, version, caller, body, found)
        role = next((role for role in caller.roles if role in ROLES["openai"]), None)
        sent_as = {"identity": caller.identity, **({"role": role} if role else {})}
        service = caller.service.partition(".")[0]
        return OpenAIRequest(operation, api, deployment, version, service, body, found, sent_as)


def _spoilt(reply: Reply, fault: OpenAIFault | None) -> Reply:
    if fault is None:
        return reply
    spoilt = fault.spoil(reply)
    return spoilt if spoilt is reply else replace(spoilt, recorded=None)


async def _follow(pictures: list[Picture], transports: Mapping[str, httpx.AsyncBaseTransport]) -> None:
    """Fetch the pictures behind links to this machine, and to names that lead there; nothing else is ever asked for."""

    def is_here(url: str) -> bool:
        host = urlsplit(url).hostname or ""
        return is_loopback(host) or f"all://{host}" in transports

    links = [each for each in pictures if each.url and is_here(each.url)]
    if not links:
        return
    async with httpx.AsyncClient(verify=_trust(), timeout=_LINK_SECONDS, trust_env=False, mounts=transports) as client:
        for each, response in zip(
            links, await asyncio.gather(*(_get(client, link.url) for link in links)), strict=True
        ):
            if response is None or not response.is_success:
                place = urlsplit(each.url)._replace(query="").geturl()  # there may be a signature in it
                message = f"Failed to download image from {place}. Image URL is invalid."
                raise _Refused(errors.bad_request(message, code="invalid_image_url"))
            each.data, each.media_type = response.content, response.headers.get("content-type", "")


@functools.cache
def _trust() -> ssl.SSLContext:
    """Return what httpx trusts, the same one for all requests: loading it takes 20 to 40 ms."""
    return httpx.create_ssl_context(trust_env=False)


async def _get(client: httpx.AsyncClient, url: str) -> httpx.Response | None:
    try:
        return await client.get(url)
    except (httpx.HTTPError, httpx.InvalidURL):
        return None
