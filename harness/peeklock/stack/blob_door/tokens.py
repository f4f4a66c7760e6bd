"""Bearer tokens for storage: who is asking."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from peeklock.servicebus.auth import Identity, TokenRefused
from peeklock.servicebus.auth.entra import Entra
from peeklock.stack.blob_door.principal import Principal
from peeklock.stack.blob_door.refusals import bad_token
from peeklock.stack.blob_door.request import DOMAIN

AUDIENCE = "https://storage.azure.com"
_DETAILS = {
    "ExpiredToken": "Lifetime validation failed. The token is expired.",
    "TokenNotYetValid": "Lifetime validation failed. The token is not yet valid.",
    "InvalidAudience": "Audience validation failed. Audience did not match.",
    "InvalidIssuer": "Issuer validation failed. Issuer did not match.",
    "InvalidSignature": "Signature validation failed. Signature verification failed.",
    "MalformedToken": "The token is malformed.",
}


class BearerTokens:
    """Implements `TokenVerifier` for the tokens of one issuer. `jwks` are its public keys, `now` tells epoch seconds. Tokens are
    for storage, or for the one `account`."""

    def __init__(self, issuer: str, jwks: Mapping[str, Any], now: Callable[[], float], account: str) -> None:
        audiences = (AUDIENCE, f"https://{account}.{DOMAIN}")
        self._verifiers = [Entra(Identity((), issuer, jwks, each), now) for each in audiences]

    def principal(self, token: str) -> Principal:
        """Return whose token this is. Raises `Refused`."""
        claims = self._claims(token)
        service = str(claims.get("xms_az_rid", "")).rpartition("/")[2]
        return Principal(str(claims.get("oid", "")), str(claims.get("tid", "")), service)

    def _claims(self, token: str) -> Mapping[str, Any]:
        code = ""
        for verifier in self._verifiers:
            try:
                return verifier.payload(token)
            except TokenRefused as refused:
                code = refused.description.partition(":")[0]
                if code != "InvalidAudience":
                    break
        raise bad_token(_DETAILS.get(code, "The token is not valid."))
