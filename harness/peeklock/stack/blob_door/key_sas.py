"""SAS that are signed with the account's key: of a service, by a stored access policy, or of the account."""

from __future__ import annotations

import hmac
from urllib.parse import quote

from peeklock.stack.blob_door import sas
from peeklock.stack.blob_door.refusals import bad_signature
from peeklock.stack.blob_door.request import BlobRequest
from peeklock.stack.blob_door.shared_key import signature

_CHECKED_HERE = ("sig", "sip", "spr")
"""Azurite does not look at addresses, and what it gets from the door is never HTTPS."""


def string_to_sign(request: BlobRequest, account: str) -> str:
    """Return what the SAS of a request must have signed, by its version (`sv`)."""
    version, each = request.query.get("sv", ""), request.each
    if "srt" in request.query:
        fields = [account, *each("sp", "ss", "srt", "st", "se", "sip", "spr", "sv")]
        return "\n".join([*fields, *(each("ses") if version >= "2020-12-06" else ()), ""])
    fields = [*each("sp", "st", "se"), sas.resource(request, account), *each("si", "sip", "spr", "sv")]
    if version >= "2018-11-09":
        fields += each("sr", "snapshot")
    if version >= "2020-12-06":
        fields += each("ses")
    return "\n".join([*fields, *each(*sas.OVERRIDES)])


def check(request: BlobRequest, account: str, key: str, *, now: float, address: str) -> None:
    """Raises `Refused` unless a SAS was signed with the account's key and holds now, for a client at `address`."""
    made = signature(key, string_to_sign(request, account))
    if not hmac.compare_digest(made.encode(), request.query.get("sig", "").encode()):
        raise bad_signature(sas.NO_MATCH)
    sas.check_times(request.query, now)
    sas.check_address(request.query, address)


def translated(request: BlobRequest, account: str, key: str) -> BlobRequest:
    """Return a request whose SAS was checked, signed for an account as Azurite calls it. Azurite looks at the rest:
    letters, and the stored access policies, which only it knows."""
    inward = request.without(_CHECKED_HERE).to(account)
    sig = quote(signature(key, string_to_sign(inward, account)), safe="")
    return inward.with_query(f"sig={sig}")
