"""The manners of an Azure ML online endpoint: who is let in, which deployment answers, and what it makes of the model's answer."""

from __future__ import annotations

import asyncio
import hmac
import json
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from http import HTTPStatus
from typing import Any

from peeklock.scenario.http_standins import HttpStandIn
from peeklock.scenario.roles import ROLES
from peeklock.servicebus.auth import TokenRefused
from peeklock.servicebus.http import HttpReply
from peeklock.standins.http.request import StandInRequest
from peeklock.standins.stand_in import Caller, Surroundings

AUDIENCE = "https://ml.azure.com"
"""Of tokens for endpoints."""
DEPLOYMENT = "azureml-model-deployment"
"""The header that names a deployment, in requests and answers."""


class Refused(Exception):
    """The endpoint says no before the model is asked, or in its place."""

    def __init__(self, status: int, code: str, message: str, told: Mapping[str, Any] | None = None) -> None:
        """`told`: what the journal knows of the request."""
        super().__init__(message)
        self.status, self.code, self.told = status, code, dict(told or {})

    def reply(self) -> HttpReply:
        """Return it as it goes over the wire."""
        return HttpReply(self.status, json.dumps({"error": {"code": self.code, "message": str(self)}}).encode())


class AzureMLEndpoint:
    """One endpoint. Its turns belong to one event loop."""

    def __init__(self, spec: HttpStandIn, keys: Mapping[str, str], surroundings: Surroundings) -> None:
        """`keys`: by the service that has it; that of nobody's is the test's."""
        self._deployments = spec.deployments
        self._callers = {key.encode(): service for service, key in keys.items()}
        self._bearer = surroundings.bearer
        self._timeout = spec.request_timeout
        self._at_once = spec.max_concurrent_requests_per_instance * spec.instance_count
        self._line = _Line(self._at_once)

    def reset(self) -> None:
        """Begin a case: whoever still waits keeps nobody waiting any more."""
        self._line = _Line(self._at_once)

    def admitted(self, request: StandInRequest) -> StandInRequest:
        """Return the request with its caller and its deployment. Raises `Refused`."""
        who = self._caller(request)
        told: dict[str, Any] = {"caller": who if isinstance(who, str) else who.service.partition(".")[0]}
        if isinstance(who, Caller):
            role = next((role for role in who.roles if role in ROLES["azure_ml"]), None)
            told["sent_as"] = {"identity": who.identity, **({"role": role} if role else {})}
            if role is None:
                action = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/score/action"
                text = f"The principal {who.object_id} lacks the required data action {action}."
                raise Refused(403, "PermissionDenied", text, told)
        name = request.http.headers.get(DEPLOYMENT, self._deployments[0])
        if name not in self._deployments:
            raise Refused(404, "DeploymentNotFound", f"The endpoint has no deployment {name[:100]}.", told)
        return replace(request, more={**told, "deployment": name})

    def _caller(self, request: StandInRequest) -> str | Caller:
        kind, _, given = request.http.headers.get("authorization", "").partition(" ")
        given = given.strip()
        if kind.lower() != "bearer" or not given:
            raise Refused(401, "Unauthorized", "A key or a token is needed: Authorization: Bearer ….")
        for known, service in self._callers.items():
            if hmac.compare_digest(known, given.encode("latin-1", "replace")):
                return service
        if self._bearer is not None:
            try:
                return self._bearer(given, AUDIENCE)
            except TokenRefused:
                pass
        raise Refused(401, "Unauthorized", "The key or token is not good for this endpoint.")

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Let so many requests at once through as the instances take, and so many wait again. Raises `Refused`: 429 for one too
        many, 408 for one that takes longer than the request time-out."""
        line = self._line
        if line.pending >= 2 * self._at_once:
            raise Refused(429, "TooManyRequests", "The endpoint has more pending requests than it can handle.")
        line.pending += 1
        try:
            async with asyncio.timeout(self._timeout), line.turns:
                yield
        except TimeoutError:
            raise Refused(408, "RequestTimeout", f"The model took longer than {self._timeout:g} s.") from None
        finally:
            line.pending -= 1

    def dressed(self, request: StandInRequest, reply: HttpReply) -> HttpReply:
        """Return the model's answer as the endpoint hands it on: 424 for all but 200."""
        own: tuple[tuple[str, str], ...] = (("x-request-id", str(uuid.uuid4())),)
        own += ((DEPLOYMENT, str(request.more["deployment"])),) if "deployment" in request.more else ()
        if reply.status == 200 or "deployment" not in request.more:
            return replace(reply, headers=(*reply.headers, *own))
        given = {name.lower(): value for name, value in reply.headers}
        reason = given.get("ms-azureml-model-error-reason") or _reason(reply.status)
        kept = [
            (name, value) for name, value in reply.headers if not name.lower().startswith("ms-azureml-model-error-")
        ]
        told = (("ms-azureml-model-error-statuscode", str(reply.status)), ("ms-azureml-model-error-reason", reason))
        return replace(reply, status=424, headers=(*kept, *told, *own))


class _Line:
    """Those who wait for their turn, and those who have it."""

    def __init__(self, at_once: int) -> None:
        self.turns = asyncio.Semaphore(at_once)
        self.pending = 0


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "model_error"
