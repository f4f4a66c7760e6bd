"""Managed identities, and the endpoints at which services ask for their tokens.

Azure gives each service an endpoint of its own, which knows that service's identities and no others. Three forms are spoken:
that of Container Apps, App Service and Functions; that of virtual machines (IMDS); that of Azure Machine Learning.
"""

from __future__ import annotations

import hmac
import secrets
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import quote

from .http import HttpRequest

_OIDS = uuid.UUID("7b1f9c0e-52f5-4a38-9d0e-3b0f6a5c1f01")
_GROUP = "/subscriptions/00000000-0000-0000-0000-00000000e2e0/resourcegroups/peeklock/providers"
_APPS_PATH = "/msi/token"
_IMDS_PATH = "/metadata/identity/oauth2/token"
_NOT_ASSIGNED = "No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId."
_NO_SYSTEM = "No System Assigned Managed Identity found: the service has none, so name one by client_id."


@lru_cache(maxsize=256)  # asked for with each request for a blob
def object_id(client_id: str) -> str:
    """Return the object id of a client's principal: the same for the same client, always."""
    return str(uuid.uuid5(_OIDS, client_id))


def host_id(service: str) -> str:
    """Return the Azure resource id of a service that has identities."""
    return f"{_GROUP}/Microsoft.App/containerApps/{service}"


class Form(Enum):
    """How a service asks for a token; its SDK chooses by the variables that it finds."""

    CONTAINER_APPS = "container-apps"
    IMDS = "imds"
    AZURE_ML = "azure-ml"


@dataclass(frozen=True, slots=True)
class ManagedIdentity:
    """An identity of a service. `client_id` is what tokens call it by and defaults to its name."""

    name: str
    client_id: str = ""

    @property
    def application(self) -> str:
        """Its client id."""
        return self.client_id or self.name

    def resource_id(self, *, system: bool) -> str:
        """Return its Azure resource id: that of the service itself if it is system-assigned."""
        return (
            host_id(self.name) if system else f"{_GROUP}/Microsoft.ManagedIdentity/userAssignedIdentities/{self.name}"
        )


class Grant(NamedTuple):
    """The identity that a request means, and its resource id."""

    identity: ManagedIdentity
    resource_id: str


@dataclass(frozen=True, slots=True)
class IdentityEndpoint:
    """The endpoint of one service, found under `name`: its system-assigned identity, if it has one, and its user-assigned
    ones. Requests in the forms of Container Apps and Azure ML have to show the `secret`."""

    name: str
    system: ManagedIdentity | None = None
    assigned: tuple[ManagedIdentity, ...] = ()
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)

    def variables(self, address: str, form: Form = Form.CONTAINER_APPS) -> dict[str, str]:
        """Return the environment variables that lead a service here, from the issuer's address. The chain of
        `DefaultAzureCredential` is cut short, so that nobody's `az login` answers in the place of this identity."""
        base = f"{address}/{quote(self.name, safe='')}"
        told = {"AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential"}
        if self.system is None and len(self.assigned) == 1:
            told["AZURE_CLIENT_ID"] = self.assigned[0].application
        match form:
            case Form.CONTAINER_APPS:
                return {"IDENTITY_ENDPOINT": f"{base}{_APPS_PATH}", "IDENTITY_HEADER": self.secret, **told}
            case Form.IMDS:
                return {"AZURE_POD_IDENTITY_AUTHORITY_HOST": base, **told}
            case Form.AZURE_ML:
                return {"MSI_ENDPOINT": f"{base}{_APPS_PATH}", "MSI_SECRET": self.secret, **told}

    def find(self, query: Mapping[str, str], *, only_one: bool = False) -> Grant | None:
        """Return the identity that a query names by client, object or resource id, else the system-assigned one; None where
        this service has no such identity. `only_one`: without a system-assigned one, the only other is meant."""
        grants = [Grant(one, one.resource_id(system=False)) for one in self.assigned]
        if self.system is not None:
            grants.insert(0, Grant(self.system, self.system.resource_id(system=True)))
        wanted = {name: query[name].lower() for name in _SELECTORS if query.get(name)}
        if not wanted:
            return grants[0] if self.system is not None or (only_one and len(grants) == 1) else None
        return next(
            (g for g in grants if all(_SELECTORS[name](g).lower() == value for name, value in wanted.items())), None
        )


_SELECTORS: dict[str, Callable[[Grant], str]] = {
    "client_id": lambda grant: grant.identity.application,
    "clientid": lambda grant: grant.identity.application,
    "object_id": lambda grant: object_id(grant.identity.application),
    "principal_id": lambda grant: object_id(grant.identity.application),
    "mi_res_id": lambda grant: grant.resource_id,
    "msi_res_id": lambda grant: grant.resource_id,
}


class Asked(NamedTuple):
    """A request for a token, in a form of Azure's."""

    form: Form
    endpoint: str
    """In lower case."""
    query: Mapping[str, str]
    request: HttpRequest

    def refusal(self, status: int, code: str, text: str) -> tuple[int, dict[str, Any]]:
        """Say no as this form does."""
        if self.form is Form.IMDS:
            return status, {"error": code, "error_description": text}
        return status, {"statusCode": status, "message": text}

    def unwelcome(self, endpoint: IdentityEndpoint | None) -> tuple[int, dict[str, Any]] | None:
        """Return why a request is refused whatever it asks for, or None."""
        headers = self.request.headers
        if self.form is Form.IMDS:
            if headers.get("metadata", "").lower() != "true":
                return self.refusal(400, "invalid_request", "Required metadata header not specified")
        else:
            name = "secret" if self.form is Form.AZURE_ML else "x-identity-header"
            shown, secret = headers.get(name, "").encode(), (endpoint.secret if endpoint else "").encode()
            if endpoint is None or not shown or not hmac.compare_digest(shown, secret):
                text = f"The {name.upper() if name[0] == 'x' else name} header is missing or not that of this service."
                return self.refusal(401, "unauthorized", text)
        if self.request.method != "GET":
            return self.refusal(405, "method_not_allowed", "Use GET.")
        for needed in ("api-version", "resource"):
            if not self.query.get(needed):
                return self.refusal(400, "invalid_request", f"Required query variable '{needed}' is missing")
        return None

    def find(self, endpoint: IdentityEndpoint | None) -> Grant | tuple[int, dict[str, Any]]:
        """Return the identity that is meant, or the refusal."""
        refused = self.unwelcome(endpoint)
        if refused is not None:
            return refused
        found = endpoint.find(self.query, only_one=self.form is Form.IMDS) if endpoint is not None else None
        if found is not None:
            return found
        if self.form is Form.IMDS:
            return self.refusal(400, "invalid_request", "Identity not found")
        named = any(self.query.get(name) for name in _SELECTORS)
        return self.refusal(400, "invalid_request", _NOT_ASSIGNED if named else _NO_SYSTEM)


def read_request(request: HttpRequest) -> Asked | None:
    """Return what a request asks an identity endpoint for; None when it is for something else."""
    path = "/".join(["", *request.parts]).rstrip("/")  # the JavaScript SDK ends IMDS' path with a slash
    query = {name: values[0] for name, values in request.query.items()}
    for known in (_APPS_PATH, _IMDS_PATH):
        if path.lower().endswith(known):
            name = path[: -len(known)].strip("/").lower()
            if known == _IMDS_PATH:
                return Asked(Form.IMDS, name, query, request)
            old = query.get("api-version") == "2017-09-01"
            return Asked(Form.AZURE_ML if old else Form.CONTAINER_APPS, name, query, request)
    return None
