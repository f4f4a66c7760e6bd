"""Entra tokens: signed by an issuer that the namespace trusts, worth what its role assignments say (S-19, S-22, S-24).

Loaded, with its library, by the first client that has one.
"""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from http.client import HTTPException
from typing import Any

import jwt

from .claims import Claim, TokenRefused, covers
from .identity import ANYBODY, Identity

ALGORITHMS = {"RSA": "RS256", "EC": "ES256"}
SKEW = 300.0
"""How many seconds an issuer's clock may be ahead of ours."""
FETCH_EVERY = 5.0
FETCH_TIMEOUT = 10.0
MAX_KEYS = 1 << 20
REMEMBERED = 100
_UNCHECKED = {f"verify_{claim}": False for claim in ("exp", "nbf", "iat", "aud", "iss", "sub", "jti")}


class Entra:
    """Checks the tokens of one namespace."""

    def __init__(self, identity: Identity, now: Callable[[], float]) -> None:
        self._identity = identity
        self._now = now
        self._keys: dict[str, jwt.PyJWK] = {}
        self._signed: dict[str, Mapping[str, Any]] = {}
        """What tokens say whose signature was found good: REST clients show theirs with each request."""
        self._fetched_at = float("-inf")
        self._fetching: asyncio.Task[None] | None = None
        if not isinstance(identity.jwks, str):
            self._take(identity.jwks)

    def misses_key_of(self, token: str) -> bool:
        """True when the issuer is to be asked for its keys before a token can be checked."""
        if not isinstance(self._identity.jwks, str) or self._key_id(token) in (None, *self._keys):
            return False
        return self._fetching is not None or asyncio.get_running_loop().time() - self._fetched_at >= FETCH_EVERY

    async def fetch(self) -> None:
        """Ask the issuer for its keys; one question at a time, and not too often: strangers can make us ask."""
        if self._fetching is None:
            self._fetching = asyncio.create_task(self._fetch())
        await asyncio.shield(self._fetching)

    async def _fetch(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            url = str(self._identity.jwks)
            self._take(await asyncio.to_thread(_read, url))
        except (OSError, ValueError, HTTPException):
            pass  # the token is refused for want of a key
        finally:
            self._fetched_at = loop.time()
            self._fetching = None

    def _take(self, jwks: Mapping[str, Any]) -> None:
        for entry in jwks["keys"]:
            try:
                key = jwt.PyJWK(entry, ALGORITHMS.get(str(entry.get("kty"))))
            except (jwt.PyJWTError, TypeError, ValueError, AttributeError):
                continue  # of a kind that Entra does not sign with
            if key.key_type in ALGORITHMS and key.algorithm_name in ALGORITHMS.values():
                self._keys[str(key.key_id)] = key

    @staticmethod
    def _key_id(token: str) -> str | None:
        try:
            return str(jwt.get_unverified_header(token).get("kid"))
        except jwt.PyJWTError:
            return None

    def verify(self, token: str, path: str) -> Claim:
        """Return what a token allows on an entity (lower case, "" for the namespace). Raises `TokenRefused`."""
        payload = self.payload(token)
        roles = self._roles(payload, path)
        return Claim(path, roles, float(payload["exp"]), _name(payload), roles)

    def payload(self, token: str) -> Mapping[str, Any]:
        """Return the claims of a token that is good now, whatever it is worth. Raises `TokenRefused`."""
        payload = self._signed.get(token)
        if payload is None:
            payload = self._read(token)
            if len(self._signed) >= REMEMBERED:
                self._signed.clear()
            self._signed[token] = payload
        self._check_times(payload)
        return payload

    def _read(self, token: str) -> Mapping[str, Any]:
        """Return the claims of a token that somebody who is trusted has signed for this audience. Raises `TokenRefused`."""
        key_id = self._key_id(token)
        if key_id is None:
            raise TokenRefused(401, "MalformedToken: The token is no JSON Web Token.")
        key = self._keys.get(key_id)
        if key is None:
            raise TokenRefused(401, "InvalidSignature: The token has an invalid signature: its key is not known.")
        try:
            payload: Mapping[str, Any] = jwt.decode(
                token,
                key.key,
                algorithms=[key.algorithm_name],
                options=_UNCHECKED,  # type: ignore[arg-type]
            )
        except jwt.PyJWTError:
            raise TokenRefused(401, "InvalidSignature: The token has an invalid signature.") from None
        if payload.get("iss") != self._identity.issuer:
            raise TokenRefused(401, "InvalidIssuer: The token's issuer is not trusted by this namespace.")
        audience = payload.get("aud")
        audiences = audience if isinstance(audience, list) else [audience]
        if self._identity.audience.rstrip("/") not in [str(name).rstrip("/") for name in audiences]:
            raise TokenRefused(401, "InvalidAudience: The authorization header contains a token with a wrong audience.")
        return payload

    def _check_times(self, payload: Mapping[str, Any]) -> None:
        now, expires, begins = self._now(), payload.get("exp"), payload.get("nbf", 0)
        if not isinstance(expires, int | float) or not isinstance(begins, int | float):
            raise TokenRefused(401, "MalformedToken: The token has no expiry.")
        if expires <= now:
            when = datetime.fromtimestamp(expires, UTC).strftime("%m/%d/%Y %H:%M:%S")
            raise TokenRefused(401, f"ExpiredToken: The token is expired. Expiration time: '{when}'.")
        if begins > now + SKEW:
            raise TokenRefused(401, "TokenNotYetValid: The token is not valid yet.")

    def _roles(self, payload: Mapping[str, Any], path: str) -> dict[str, str]:
        """Return the rights on an entity, each with the role that gives it. None are no reason to refuse the token: whoever
        then opens a link is told which right is missing, as with a SAS token (S-23)."""
        groups = payload.get("groups")
        names = {str(payload[claim]).lower() for claim in ("oid", "appid", "azp", "sub") if payload.get(claim)}
        names |= {str(group).lower() for group in groups} if isinstance(groups, list) else set()
        found: dict[str, str] = {}
        for assignment in self._identity.roles:
            if covers(assignment.path, path) and assignment.principal.lower() in (ANYBODY, *names):
                rights = assignment.rights
                for right in ("Manage", "Send", "Listen") if "Manage" in rights else rights:
                    found.setdefault(right, assignment.title)
        return found


def _name(payload: Mapping[str, Any]) -> str:
    """Return whose token this is: `worker`, or `worker as shared` where a service has a token of an identity of another name."""
    client = next((str(payload[c]) for c in ("appid", "azp", "oid", "sub") if payload.get(c)), "")
    identity = str(payload.get("xms_mirid") or client).rpartition("/")[2]
    host = str(payload.get("xms_az_rid") or "").rpartition("/")[2]
    return (identity if host in ("", identity) else f"{host} as {identity}")[:128]


def _read(url: str) -> Mapping[str, Any]:
    with urllib.request.urlopen(url, timeout=FETCH_TIMEOUT) as answer:  # noqa: S310 -- a loopback URL (`Identity`)
        found = json.loads(answer.read(MAX_KEYS))
    if not isinstance(found, dict) or not isinstance(found.get("keys"), list):
        raise ValueError("no JWK set")
    return found
