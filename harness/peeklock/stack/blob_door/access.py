"""Whether a request may come in, and as what it goes on to Azurite."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence
from email.utils import formatdate
from typing import NamedTuple
from urllib.parse import urlsplit

from peeklock.stack.blob_door import sas, shared_key
from peeklock.stack.blob_door.delegation import DelegationKeys
from peeklock.stack.blob_door.operations import Need, needs, of_source
from peeklock.stack.blob_door.refusals import Refused, anonymous, bad_request, bad_signature, bad_token, no_permission
from peeklock.stack.blob_door.request import BlobRequest
from peeklock.stack.blob_door.roles import BlobRole, allowed
from peeklock.stack.blob_door.tokens import BearerTokens, Principal

_HOP = ("authorization", "host", "date", "x-ms-date", "expect", "connection", "keep-alive", "te", "upgrade",
        "transfer-encoding", "proxy-connection", "x-ms-copy-source-authorization")  # fmt: skip
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


class Access:
    """Decides for one account. `roles` is asked for each request, so a role that is taken away is gone at once."""

    def __init__(
        self, account: Account, azurite: str, tokens: BearerTokens, roles: Callable[[], Iterable[BlobRole]],
        now: Callable[[], float], secret: bytes = b"",
    ) -> None:  # fmt: skip
        """`azurite`: its host and port. `secret`: what delegation keys are derived from; keep it, and they stay good."""
        self.account = account
        self.now = now
        self.keys = DelegationKeys(secret or secrets.token_bytes(32))
        self._azurite = azurite
        self._tokens = tokens
        self._roles = roles

    def authenticate(self, request: BlobRequest) -> Principal | None:
        """Return who signs with a bearer token; None for the holder of the account's key. Raises `Refused`."""
        if request.account != self.account.name:
            raise bad_request("ResourceNotFound", "The specified resource does not exist.", 404)
        scheme, _, value = request.header("authorization").partition(" ")
        if scheme.lower() == "bearer":
            if request.header("x-ms-version") < _OLDEST:
                raise bad_token("Authentication scheme Bearer is not supported in this version.")
            return self._tokens.principal(value.strip())
        if scheme == "SharedKey":
            shared_key.check(request, self.account.key)
            return None
        if scheme:
            raise bad_request(
                "InvalidAuthenticationInfo", "Authentication information is not given in the correct format."
            )
        raise anonymous()

    def admit(self, request: BlobRequest, address: str) -> BlobRequest:
        """Return a request as it goes on, signed with the account's key. Raises `Refused`."""
        if not request.header("authorization") and "sig" in request.query:
            if "skoid" not in request.query:
                return self._unsigned(request)
            self._by_sas(request, address, needs(request))
            version = request.header("x-ms-version") or request.query["sv"]
            caller: Principal | None = None
            inward = request.without(query=sas.PARAMETERS).with_headers(x_ms_version=version)
            if "w" not in request.query["sp"] and _makes_blob(request):
                inward = inward.with_headers(if_none_match="*")  # `c` makes blobs and overwrites none
        else:
            caller = self.authenticate(request)
            if caller is not None and not allowed(self._roles(), caller, needs(request), request.container):
                raise no_permission()
            inward = request
        return self.sign(self._with_source(inward, request, caller, address))

    def may_delegate(self, request: BlobRequest) -> Principal:
        """Return for whom a user delegation key is made. Raises `Refused`."""
        principal = self.authenticate(request)
        if principal is None or not allowed(self._roles(), principal, needs(request), request.container):
            raise no_permission()
        return principal

    def sign(self, request: BlobRequest) -> BlobRequest:
        """Return a request that was let in as Azurite takes it."""
        inward = request.without(headers=_HOP).to(self.account.inner)
        inward = inward.with_headers(host=self._azurite, x_ms_date=formatdate(self.now(), usegmt=True))
        return inward.with_headers(authorization=shared_key.authorization(inward, self.account.key))

    def _unsigned(self, request: BlobRequest) -> BlobRequest:
        """Azurite itself checks a SAS that is signed with the account's key; its signature holds the account's name."""
        if request.account != self.account.name or self.account.inner != self.account.name:
            raise bad_signature("Signature did not match.")
        return request.without(headers=_HOP).to(self.account.inner).with_headers(host=self._azurite)

    def _by_sas(self, request: BlobRequest, address: str, needed: Sequence[Need]) -> None:
        if request.account != self.account.name:
            raise bad_signature("Signature did not match.")
        principal = sas.check(request, self.account.name, self.keys, now=self.now(), address=address)
        for need in needed:
            sas.check_letters(request, need.letters)
        # a SAS is worth no more than its principal still has
        if not allowed(self._roles(), principal, needed, request.container):
            raise no_permission()

    def _with_source(
        self, inward: BlobRequest, request: BlobRequest, caller: Principal | None, address: str
    ) -> BlobRequest:
        """Look at what a copy reads; Azurite gets its URL without secrets."""
        url = request.header("x-ms-copy-source")
        if not url:
            return inward
        try:
            split = urlsplit(url)
        except ValueError:
            raise bad_request("InvalidHeaderValue", "The value for one of the HTTP headers is not valid.") from None
        target = f"{split.path}?{split.query}" if split.query else split.path
        source = BlobRequest.read("GET", target, [("host", split.netloc)])
        if source.account != self.account.name:
            text = "The copy source is in another account, or is no blob: only copies within an account are there."
            raise bad_request("CannotVerifyCopySource", text, 404)
        own = request.header("x-ms-copy-source-authorization")
        if "skoid" in source.query:
            self._by_sas(source, address, [of_source()])
        elif "sig" not in source.query:
            if own:
                scheme, _, value = own.partition(" ")
                if scheme.lower() != "bearer":
                    raise bad_request("InvalidHeaderValue", "The value for one of the HTTP headers is not valid.")
                caller = self._tokens.principal(value.strip())
            by_sas = caller is None and "sig" in request.query
            if by_sas or (caller is not None and not allowed(self._roles(), caller, [of_source()], source.container)):
                raise Refused(403, "CannotVerifyCopySource", no_permission().message)
        plain = source.without(query=sas.PARAMETERS if "skoid" in source.query else ()).to(self.account.inner)
        return inward.with_headers(x_ms_copy_source=f"http://{self._azurite}{plain.target}")


def _makes_blob(request: BlobRequest) -> bool:
    return request.method == "PUT" and request.query.get("comp", "") in ("", "blocklist")
