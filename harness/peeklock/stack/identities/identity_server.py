"""The token issuer of one environment, and the endpoint of each of its services."""

from __future__ import annotations

import functools
import secrets
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from peeklock.scenario.identities import identity_of
from peeklock.scenario.roles import part_of
from peeklock.scenario.services import Service, replica_names
from peeklock.scenario.topology import Stack
from peeklock.servicebus.auth import Identity
from peeklock.servicebus.auth.entra import Entra
from peeklock.servicebus.issuer import LOGIN_HOST, Issuer
from peeklock.servicebus.managed_identity import Form, IdentityEndpoint, ManagedIdentity, object_id
from peeklock.stack.backend import TokenRefusal
from peeklock.stack.blob_door.roles import BlobRole
from peeklock.stack.identities.assignments import Assigned, Assignments, client_id
from peeklock.stack.servers.servicebus import SERVICE_RULE, service_rule
from peeklock.standins import Caller
from peeklock.standins.server import StandInServer

_CREDENTIALS = (
    "AZURE_AUTHORITY_HOST", "AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET",
    "AZURE_FEDERATED_TOKEN_FILE", "AZURE_PASSWORD", "AZURE_POD_IDENTITY_AUTHORITY_HOST", "AZURE_TENANT_ID",
    "AZURE_TOKEN_CREDENTIALS", "AZURE_USERNAME", "IDENTITY_ENDPOINT", "IDENTITY_HEADER", "IDENTITY_SERVER_THUMBPRINT",
    "IMDS_ENDPOINT", "MSI_ENDPOINT", "MSI_SECRET",
)  # fmt: skip
"""By which Azure's SDKs find an identity: the caller's own is none of a service's."""
_REMEMBERED = 100
"""How many refused requests for tokens: the first of a case tell enough."""
_WORKLOAD = "workload-identity"
_KEYS = ("AZURE_STORAGE_CONNECTION_STRING", "AZURE_SERVICEBUS_CONNECTION_STRING", "AZURE_OPENAI_API_KEY")
"""Which a service with an identity is not told."""


class Identities:
    """Implements `backend.Identities`. Answers from its making until `close`. What tokens are signed with is kept by its owner,
    so that those of a warm service stay good for the next run."""

    def __init__(
        self, stack: Stack, services: Mapping[str, Service], port: int, keys: dict[str, str], now: Callable[[], float],
        publish: Callable[[], None], folder: Callable[[], Path],
    ) -> None:  # fmt: skip
        """`keys` is kept for the next one: the issuer's under "", and the secret of each service's endpoint; what is missing is
        added. `now`: the clock of the case, in Unix seconds; `publish` is called when roles have changed;
        `folder` returns one that nobody else can read and that ends with the stack. Raises `PeeklockError` when the port is
        taken."""
        self.assignments = Assignments(stack.identities)
        self._declared = tuple(stack.identities)
        self._refusals: deque[TokenRefusal] = deque(maxlen=_REMEMBERED)
        self._now, self._publish, self._folder = now, publish, functools.cache(folder)
        self._forms: dict[str, Form | None] = {}
        """By service and replica; None: as a workload."""
        self._issuer = Issuer(key=keys.get("", ""), closed=True, now=now, log=self._log)
        keys[""] = self._issuer.private_key()
        self._issuer.address = f"http://127.0.0.1:{port}"
        self._verifiers: dict[str, Entra] = {}
        for name, service in services.items():
            has = identity_of(name, service, stack)
            for process in {name, *replica_names(name, service.most)}:
                secret = keys.setdefault(process, secrets.token_urlsafe(32))
                mine = [ManagedIdentity(each, client_id(each)) for each in (has.of if has else ())]
                system = next((each for each in mine if each.name == name), None)
                others = tuple(each for each in mine if each.name != name)
                self._issuer.serve(IdentityEndpoint(service_rule(process), system, others, secret))
                form = "imds" if has is None else has.form
                self._forms[process] = None if form == _WORKLOAD else Form(form)
        self._server = StandInServer(self._issuer.service, port, "the identity endpoint")

    def variables(self, process: str) -> dict[str, str | None]:
        """Return what a service, or a replica of it, is told so that it has its own identities, and nobody else's. None: it is
        not told of it, whatever the caller's own environment says."""
        name = service_rule(process)
        endpoint = self._issuer.endpoint(name)
        assert endpoint is not None
        keys = _KEYS if endpoint.system is not None or endpoint.assigned else ()
        form = self._forms[process]
        told = self._workload(endpoint) if form is None else endpoint.variables(self._issuer.address, form)
        return {**dict.fromkeys((*_CREDENTIALS, *keys)), **told}

    def _workload(self, endpoint: IdentityEndpoint) -> dict[str, str]:
        """Write down what a workload shows of itself, where only its owner can read it; return what leads it there."""
        file = self._folder() / f"{endpoint.name}.token"
        file.write_text(self._issuer.federated_token(endpoint.name), encoding="ascii")
        meant = endpoint.system or endpoint.assigned[0]
        return {
            "AZURE_TOKEN_CREDENTIALS": "WorkloadIdentityCredential",
            "AZURE_AUTHORITY_HOST": f"https://{LOGIN_HOST}",
            "AZURE_CLIENT_ID": meant.application,
            "AZURE_TENANT_ID": self._issuer.tenant,
            "AZURE_FEDERATED_TOKEN_FILE": str(file),
        }

    @property
    def issuer(self) -> str:
        """What its tokens have as `iss`."""
        return self._issuer.name

    def jwks(self) -> dict[str, Any]:
        """Return the keys by which its tokens are checked, as a JWK set."""
        return self._issuer.jwks()

    def namespace_identity(self) -> dict[str, Any]:
        """Return `identity` of the control API's topology: whose tokens are taken, and what for."""
        roles = [
            {"principal": each.principal, "role": each.role, "scope": each.on}
            for each in self.assignments.on("servicebus")
        ]
        return {"roles": roles, "issuer": self._issuer.name, "jwks": self._issuer.jwks()}

    def facts(self) -> dict[str, dict[str, str]]:
        """Return the client id and the object id of each identity."""
        return {
            name: {"client_id": client_id(name), "object_id": object_id(client_id(name))} for name in self._declared
        }

    def name_of(self, principal: str) -> str:
        """Return the identity of an object id; "" for a stranger's."""
        return next((name for name in self._declared if object_id(client_id(name)) == principal), "")

    def blob_roles(self, principal: str) -> list[BlobRole]:
        """Return the roles on blobs of an object id."""
        return [BlobRole(e.role, e.on) for e in self.assignments.on("blobs") if e.principal == principal]

    def caller(self, token: str, audience: str) -> Caller:
        """Return whose token this is. Raises `TokenRefused`."""
        verifier = self._verifiers.get(audience)
        if verifier is None:
            identity = Identity((), self._issuer.name, self._issuer.jwks(), audience)
            verifier = self._verifiers[audience] = Entra(identity, self._now)
        claims = verifier.payload(token)
        host, name = (str(claims[key]).rpartition("/")[2] for key in ("xms_az_rid", "xms_mirid"))
        roles = [each.role for each in self.assignments.of(name)]
        return Caller(host.removeprefix(SERVICE_RULE), name, str(claims["oid"]), str(claims["tid"]), roles)

    def roles(self, identity: str) -> list[dict[str, str]]:
        return [{"role": each.role, **({"on": each.on} if each.on else {})} for each in self.assignments.of(identity)]

    def grant(self, identity: str, role: str, on: str) -> None:
        self.assignments.grant(Assigned(identity, role, on))
        self._changed(role)

    def revoke(self, identity: str, role: str, on: str) -> int:
        gone = self.assignments.revoke(Assigned(identity, role, on))
        self._changed(role)
        return gone

    def _changed(self, role: str) -> None:
        if part_of(role) == "servicebus":  # the others ask with each request
            self._publish()

    def refusals(self) -> list[TokenRefusal]:
        return list(self._refusals)

    def reset(self) -> None:
        """Begin the next case: the roles that are declared, and nothing was refused."""
        if self.assignments.changed:
            self.assignments.reset()
            self._publish()
        self._refusals.clear()

    def close(self) -> None:
        """Close the port. Idempotent."""
        self._server.close()

    def _log(self, event: str, **facts: Any) -> None:
        if event == "identity.refused":
            service = str(facts["endpoint"]).removeprefix(SERVICE_RULE)
            self._refusals.append(TokenRefusal(time.time(), service, str(facts["reason"])))
