"""Whether a request may come in, and as what it goes on to Azurite."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from email.utils import formatdate
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlsplit

from peeklock.stack.blob_door import key_sas, sas, shared_key
from peeklock.stack.blob_door.azurite import HOST
from peeklock.stack.blob_door.delegation import DelegationKeys
from peeklock.stack.blob_door.operations import Need, needs, of_source
from peeklock.stack.blob_door.principal import Principal, TokenVerifier
from peeklock.stack.blob_door.refusals import (
    Refused,
    anonymous,
    bad_request,
    bad_token,
    no_permission,
    no_public_access,
)  # fmt: skip
from peeklock.stack.blob_door.request import BlobRequest
from peeklock.stack.blob_door.roles import BlobRole, allowed, least_role, role_for

_NOT_PASSED_ON = (
    "authorization", "host", "date", "x-ms-date", "expect", "connection", "keep-alive", "te", "upgrade",
    "transfer-encoding", "proxy-connection", "x-ms-copy-source-authorization",
    "x-http-method",  # Azurite would do that instead of the method that was let in
)  # fmt: skip
_OLDEST = "2017-11-09"
"""The version of the service that took bearer tokens first."""


class Account(NamedTuple):
    """The account that clients name, the one of Azurite behind it (`name` unless told), and their key."""

    name: str
    key: str
    behind: str = ""

    @property
    def inner(self) -> str:
        """Azurite's name of it."""
        return self.behind or self.name


class Admitted(NamedTuple):
    """A request as it goes on. `source`: what Azurite has to let be read before, as it does not look at that itself."""

    request: BlobRequest
    source: BlobRequest | None = None
    caller: Principal | None = None
    """None for the holder of the account's key."""
    role: str = ""
    """By which the caller was let in."""


class Access:
    """Decides for one account. `roles` is asked for each request, so a role that is taken away is gone at once."""

    def __init__(
        self, account: Account, azurite: Callable[[], int], now: Callable[[], float], tokens: TokenVerifier | None = None,
        roles: Callable[[str], Iterable[BlobRole]] = lambda _: (), secret: bytes = b"",
    ) -> None:  # fmt: skip
        """`azurite` tells its port. `tokens`: absent, no bearer token is good; `roles` tells those of an object id.
        `secret`: what delegation keys are derived from; keep it, and they stay good."""
        self.account, self.azurite, self.now = account, azurite, now
        self.keys = DelegationKeys(secret or secrets.token_bytes(32))
        self._tokens, self._roles = tokens, roles

    def authenticate(self, request: BlobRequest, address: str) -> Principal | None:
        """Return for whom a request speaks; None for the holder of the account's key. Raises `Refused`."""
        if request.account != self.account.name:
            raise bad_request("ResourceNotFound", "The specified resource does not exist.", 404)
        scheme, _, value = request.header("authorization").partition(" ")
        if scheme.lower() == "bearer":
            return self._by_token(request, value.strip())
        if scheme == "SharedKey":
            shared_key.check(request, self.account.key)
            return None
        if scheme:
            raise bad_request(
                "InvalidAuthenticationInfo", "Authentication information is not given in the correct format."
            )
        if "skoid" in request.query:
            return sas.check(request, self.account.name, self.keys, now=self.now(), address=address)
        if "sig" in request.query:
            key_sas.check(request, self.account.name, self.account.key, now=self.now(), address=address)
            return None
        raise anonymous()

    def admit(self, request: BlobRequest, address: str) -> Admitted:
        """Return a request as it goes on. Raises `Refused`."""
        if request.method == "OPTIONS":  # a browser asks so before it asks, without any authorization
            return Admitted(self._plain(request))
        caller = self.authenticate(request, address)
        if request.header("x-ms-blob-public-access"):
            raise no_public_access()
        by_sas = not request.header("authorization")
        role = "" if caller is None else self._permit(request, caller, needs(request), by_sas=by_sas)
        inward, source = self._with_source(request, address, caller, by_sas=by_sas)
        if by_sas and caller is None:
            signed = key_sas.translated(inward, self.account.inner, self.account.key)
            return Admitted(self._plain(signed), source)
        if by_sas:
            version = request.header("x-ms-version") or request.query.get("sv", "")
            inward = inward.with_headers(x_ms_version=version)
            if "w" not in request.query["sp"] and _makes_blob(request):
                inward = inward.with_headers(if_none_match="*")  # `c` makes blobs and overwrites none
        return Admitted(self.sign(inward), source, caller, role)

    def may_delegate(self, request: BlobRequest, address: str) -> Principal:
        """Return for whom a user delegation key is made. Raises `Refused`."""
        principal = self.authenticate(request, address)
        if principal is None or not request.header("authorization"):
            raise no_permission()
        self._permit(request, principal, needs(request), by_sas=False)
        return principal

    def sign(self, request: BlobRequest) -> BlobRequest:
        """Return a request that was let in as Azurite takes it."""
        bare = request.without(sas.PARAMETERS) if request.raw_query else request
        inward = self._plain(bare, x_ms_date=_date(int(self.now())))
        return inward.with_headers(authorization=shared_key.authorization(inward, self.account.key))

    def _plain(self, request: BlobRequest, **headers: str) -> BlobRequest:
        inward = request.to(self.account.inner)
        return inward.with_headers(without=_NOT_PASSED_ON, host=f"{HOST}:{self.azurite()}", **headers)

    def _by_token(self, request: BlobRequest, token: str) -> Principal:
        if request.header("x-ms-version") < _OLDEST:
            raise bad_token("Authentication scheme Bearer is not supported in this version.")
        return self._verified(token)

    def _verified(self, token: str) -> Principal:
        if self._tokens is None:
            raise bad_token("Issuer validation failed. Issuer did not match.")
        return self._tokens.principal(token)

    def _permit(self, request: BlobRequest, caller: Principal, needed: Sequence[Need], *, by_sas: bool) -> str:
        """Return the role that lets a request in. A SAS is worth no more than what its principal still has."""
        for need in needed if by_sas else ():
            sas.check_letters(request, need.letters)
        roles, container = list(self._roles(caller.object_id)), request.container
        role = role_for(roles, needed, container)
        if not role and not allowed(roles, needed, container):
            raise no_permission(caller, least_role(needed))
        return role

    def _allowed(self, caller: Principal, needed: Sequence[Need], container: str) -> bool:
        return allowed(self._roles(caller.object_id), needed, container)

    def _with_source(
        self, request: BlobRequest, address: str, caller: Principal | None, *, by_sas: bool
    ) -> tuple[BlobRequest, BlobRequest | None]:
        """Look at what a copy reads; Azurite gets its URL without secrets."""
        if not request.header("x-ms-copy-source"):
            return request, None
        source = self._source(request)
        probe = None
        if "skoid" in source.query:
            reader = sas.check(source, self.account.name, self.keys, now=self.now(), address=address)
            self._permit(source, reader, [of_source()], by_sas=True)
        elif "sig" in source.query:
            key_sas.check(source, self.account.name, self.account.key, now=self.now(), address=address)
            signed = key_sas.translated(source, self.account.inner, self.account.key)
            probe = replace(self._plain(signed), method="HEAD")
        else:
            self._check_reader(request, source, caller, by_sas=by_sas)
        plain = source.without(sas.PARAMETERS).to(self.account.inner)
        return request.with_headers(x_ms_copy_source=f"http://{HOST}:{self.azurite()}{plain.target}"), probe

    def _source(self, request: BlobRequest) -> BlobRequest:
        try:
            split = urlsplit(request.header("x-ms-copy-source"))
        except ValueError:
            raise bad_request("InvalidHeaderValue", "The value for one of the HTTP headers is not valid.") from None
        target = f"{split.path}?{split.query}" if split.query else split.path
        source = BlobRequest.read("GET", target, [("host", split.netloc)])
        if source.account != self.account.name or not source.blob or source.query.keys() & {"comp", "restype"}:
            text = "The copy source is in another account, or is no blob: only copies within an account are there."
            raise bad_request("CannotVerifyCopySource", text, 404)
        return source

    def _check_reader(
        self, request: BlobRequest, source: BlobRequest, caller: Principal | None, *, by_sas: bool
    ) -> None:
        """A source without a SAS is read by whoever the request names, else by its caller; never by a SAS for the target."""
        own = request.header("x-ms-copy-source-authorization")
        if own:
            scheme, _, value = own.partition(" ")
            if scheme.lower() != "bearer":
                raise bad_request("InvalidHeaderValue", "The value for one of the HTTP headers is not valid.")
            caller, by_sas = self._verified(value.strip()), False
        if by_sas or (caller is not None and not self._allowed(caller, [of_source()], source.container)):
            raise Refused(403, "CannotVerifyCopySource", no_permission().message)


@lru_cache(maxsize=1)
def _date(seconds: int) -> str:
    return formatdate(seconds, usegmt=True)


def _makes_blob(request: BlobRequest) -> bool:
    """Whether Azurite could take it for an operation that overwrites a blob."""
    comp, by_header = request.query.get("comp", ""), ("x-ms-blob-type", "x-ms-copy-source")
    return request.method == "PUT" and (comp in ("", "blocklist") or any(map(request.header, by_header)))
