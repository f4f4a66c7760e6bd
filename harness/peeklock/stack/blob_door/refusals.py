"""Refusals, in the words of Azure Storage."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from xml.sax.saxutils import escape

from peeklock.errors import PeeklockError
from peeklock.stack.blob_door.principal import Principal

_AUTHENTICATE = (
    "Server failed to authenticate the request. Please refer to the information in the www-authenticate header."
)
_SIGNATURE = (
    "Server failed to authenticate the request. Make sure the value of Authorization header is formed correctly "
    "including the signature."
)
_PERMISSION = "This request is not authorized to perform this operation using this permission."


class Refused(PeeklockError):
    """A request that the door answers itself. `detail` says more to the client; no secret is in it."""

    def __init__(self, status: int, code: str, message: str, *, detail: str = "", challenge: bool = False) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.detail = status, code, message, detail
        self.challenge = challenge
        self.caller: Principal | None = None
        """Whose request it was, where that is known."""
        self.lacks = ""
        """The least of the roles that would have let it in."""

    def body(self, at: float) -> bytes:
        """Return Azure's error document; `at` is the time that it tells, in epoch seconds."""
        when = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")
        detail = f"<AuthenticationErrorDetail>{escape(self.detail)}</AuthenticationErrorDetail>" if self.detail else ""
        message = f"{escape(self.message)}\nRequestId:{uuid.uuid4()}\nTime:{when}"
        return (
            f'<?xml version="1.0" encoding="utf-8"?>\n<Error><Code>{self.code}</Code>'
            f"<Message>{message}</Message>{detail}</Error>"
        ).encode()

    def headers(self, tenant: str) -> Mapping[str, str]:
        """Return what goes with it, the challenge of an authentication that failed included."""
        told = {"Content-Type": "application/xml", "x-ms-error-code": self.code}
        if self.challenge:
            uri = f"https://login.microsoftonline.com/{tenant}/oauth2/authorize"
            told["WWW-Authenticate"] = f"Bearer authorization_uri={uri} resource_id=https://storage.azure.com"
        return told


def anonymous() -> Refused:
    """Nothing says who is asking."""
    return Refused(401, "NoAuthenticationInformation", _AUTHENTICATE, challenge=True)


def bad_token(detail: str) -> Refused:
    """A bearer token is not good."""
    return Refused(401, "InvalidAuthenticationInfo", _AUTHENTICATE, detail=detail, challenge=True)


def bad_signature(detail: str) -> Refused:
    """A shared key or a SAS is not good."""
    return Refused(403, "AuthenticationFailed", _SIGNATURE, detail=detail)


def no_permission(caller: Principal | None = None, lacks: str = "") -> Refused:
    """Whoever is asking is known, and may not do this."""
    refused = Refused(403, "AuthorizationPermissionMismatch", _PERMISSION)
    refused.caller, refused.lacks = caller, lacks
    return refused


def no_public_access() -> Refused:
    """A container was to be open to everybody."""
    return Refused(409, "PublicAccessNotPermitted", "Public access is not permitted on this storage account.")


def bad_request(code: str, message: str, status: int = 400) -> Refused:
    """The request itself is wrong."""
    return Refused(status, code, message)
