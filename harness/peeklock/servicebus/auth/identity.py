"""Whose Entra tokens a namespace takes, and which roles their bearers have in it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from peeklock.servicebus.settings import TopologyError, read_settings

AUDIENCE = "https://servicebus.azure.net/"
ANYBODY = "*"
_PREFIX = "azure service bus data "
ROLES = {"owner": ("Manage", "Send", "Listen"), "sender": ("Send",), "receiver": ("Listen",)}
"""The last word of Azure's built-in roles "Azure Service Bus Data …", and the rights that they stand for."""
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_RESOURCE = re.compile(
    r"/subscriptions/[^/]+/resourcegroups/[^/]+/providers/microsoft\.servicebus/namespaces/[^/]+"
    r"(?:/queues/(?P<queue>.+)|/topics/(?P<topic>.+?)(?:/subscriptions/(?P<subscription>[^/]+))?)?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class RoleAssignment:
    """A principal (an object id or an application id; "*" is anybody) has a role, "Azure Service Bus Data Owner", "… Sender"
    or "… Receiver" or its last word, on an entity; "" is the whole namespace. A scope may be an Azure resource id."""

    principal: str
    role: str
    scope: str = ""

    @property
    def rights(self) -> tuple[str, ...]:
        """What the role allows."""
        return ROLES[self.role.lower().removeprefix(_PREFIX)]

    @property
    def title(self) -> str:
        """The role's name in full."""
        return f"Azure Service Bus Data {self.role.lower().removeprefix(_PREFIX).title()}"

    @property
    def path(self) -> str:
        """The entity in lower case, "" for the namespace."""
        match = _RESOURCE.fullmatch(self.scope)
        if match is None:
            return self.scope.strip("/").lower()
        path = match["queue"] or match["topic"] or ""
        return (f"{path}/subscriptions/{match['subscription']}" if match["subscription"] else path).lower()


@dataclass(frozen=True, slots=True)
class Identity:
    """Tokens are taken that `issuer` has signed for `audience` with one of its keys: `jwks` is the loopback URL of a JWK set,
    or the set itself. Without an issuer it is the emulator's own."""

    roles: tuple[RoleAssignment, ...] = ()
    issuer: str = ""
    jwks: str | Mapping[str, Any] = ""
    audience: str = AUDIENCE

    def __post_init__(self) -> None:
        for index, assignment in enumerate(self.roles):
            role = assignment.role.lower().removeprefix(_PREFIX)
            if role not in ROLES or not assignment.principal:
                raise TopologyError(
                    f"identity.roles[{index}]: principal {assignment.principal!r} has the role {assignment.role!r}",
                    "give a principal, and Azure Service Bus Data Owner, Sender or Receiver",
                )
        if isinstance(self.jwks, str):
            if self.issuer and urlsplit(self.jwks).hostname not in _LOOPBACK:
                raise TopologyError(
                    f"identity.jwks is {self.jwks!r}, expected a URL on loopback or a JWK set",
                    f"use http://127.0.0.1:…, or write the set here; hosts: {', '.join(_LOOPBACK)}",
                )
        elif not isinstance(self.jwks.get("keys"), list):
            raise TopologyError("identity.jwks: expected {'keys': [...]}", "write a JWK set, or its URL on loopback")

    def issued_by(self, issuer: str, jwks: Mapping[str, Any]) -> Identity:
        """Return the same with the emulator's own issuer, unless there is another one."""
        return self if self.issuer else Identity(self.roles, issuer, jwks, self.audience)


def read_identity(body: Any) -> Identity:
    """Read `identity` of the control API's topology. Raises `TopologyError`."""
    values = dict(body) if isinstance(body, dict) else {"": body}
    roles = values.pop("roles", [])
    jwks = values.pop("jwks", "")
    if not isinstance(roles, list | tuple):
        raise TopologyError(f"identity.roles: expected a list, got {type(roles).__name__}", "write [{...}]")
    if not isinstance(jwks, str | dict):
        raise TopologyError(f"identity.jwks: expected text or an object, got {type(jwks).__name__}", "write a URL")
    built = tuple(
        read_settings(RoleAssignment, {"principal": "", "role": "", **_object(item, index)}, f"identity.roles[{index}]")
        for index, item in enumerate(roles)
    )
    plain: _Texts = read_settings(_Texts, values, "identity")
    return Identity(built, plain.issuer, jwks, plain.audience)


@dataclass(frozen=True, slots=True)
class _Texts:
    issuer: str = ""
    audience: str = AUDIENCE


def _object(value: Any, index: int) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise TopologyError(f"identity.roles[{index}]: expected an object, got {value!r}", "write {...}")
    return value
