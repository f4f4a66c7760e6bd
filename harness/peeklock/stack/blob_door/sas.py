"""SAS that are signed with a user delegation key."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from peeklock.stack.blob_door.delegation import DelegationKeys, read_time
from peeklock.stack.blob_door.principal import Principal
from peeklock.stack.blob_door.refusals import Refused, bad_signature, no_permission
from peeklock.stack.blob_door.request import BlobRequest
from peeklock.stack.blob_door.shared_key import signature

OVERRIDES = ("rscc", "rscd", "rsce", "rscl", "rsct")
"""Response headers that a SAS sets."""
PARAMETERS = ("sv", "sr", "sig", "sp", "st", "se", "si", "sip", "spr", "ses", "sdd", "ss", "srt", "srh", "srq",
              "skoid", "sktid", "skt", "ske", "sks", "skv", "saoid", "suoid", "scid", "skdutid", "sduoid")  # fmt: skip
"""Everything else of a SAS that may stand in a query."""
NO_MATCH = "Signature did not match."


def string_to_sign(request: BlobRequest, account: str) -> str:
    """Return what the SAS of a request must have signed, by its version (`sv`)."""
    sas, each = request.query, request.each
    version = sas.get("sv", "")
    fields = [*each("sp", "st", "se"), resource(request, account)]
    fields += each("skoid", "sktid", "skt", "ske", "sks", "skv")
    if version >= "2020-02-10":
        fields += each("saoid", "suoid", "scid")
    if version >= "2025-07-05":
        fields += each("skdutid", "sduoid")
    fields += each("sip", "spr", "sv", "sr")
    fields.append({"bs": sas.get("snapshot", ""), "bv": sas.get("versionid", "")}.get(sas.get("sr", ""), ""))
    if version >= "2020-12-06":
        fields += each("ses")
    if version >= "2026-04-06":
        headers = [name for name in sas.get("srh", "").split(",") if name]
        queries = [name for name in sas.get("srq", "").split(",") if name]
        fields.append("".join(f"{name}:{request.header(name.lower())}\n" for name in headers))
        fields.append("".join(f"\n{name}:{sas.get(name.lower(), '')}" for name in queries))
    return "\n".join([*fields, *each(*OVERRIDES)])


def resource(request: BlobRequest, account: str) -> str:
    """Return what a SAS is for, as it is signed."""
    container, blob, kind = request.container, request.blob, request.query.get("sr", "")
    if "\n" in blob:
        raise bad_signature(NO_MATCH)  # the lines of what is signed could be read in two ways
    if kind == "c":
        return f"/blob/{account}/{container}"
    if kind == "d":
        depth = request.query.get("sdd", "")
        blob = "/".join(blob.split("/")[: int(depth)]) if depth.isdecimal() else blob
    return f"/blob/{account}/{container}/{blob}"


def check(request: BlobRequest, account: str, keys: DelegationKeys, *, now: float, address: str) -> Principal:
    """Return for whom a SAS speaks. Raises `Refused` unless it was signed with that principal's key and holds now, for a
    client at `address`."""
    sas = request.query
    made = signature(keys.value(sas), string_to_sign(request, account))
    if not hmac.compare_digest(made.encode(), sas.get("sig", "").encode()):
        raise bad_signature(NO_MATCH)
    check_times(sas, now, needed=("se", "ske"))
    check_address(sas, address)
    return Principal(sas["skoid"], sas.get("sktid", ""))


def check_address(sas: Mapping[str, str], address: str) -> None:
    """Raises `Refused` unless a SAS is for clients at an address."""
    if sas.get("sip") and not _within(address, sas["sip"]):
        text = "This request is not authorized to perform this operation using this source IP."
        raise Refused(403, "AuthorizationSourceIPMismatch", text)


def check_letters(request: BlobRequest, letters: str) -> None:
    """Raises `Refused` unless a SAS has one of the letters."""
    if not set(letters) & set(request.query.get("sp", "")):
        raise no_permission()


def check_times(sas: Mapping[str, str], now: float, needed: Sequence[str] = ()) -> None:
    """Raises `Refused` unless a SAS, and the key that signed it, hold at `now`. `needed`: times that must be there."""
    moment = datetime.fromtimestamp(now, UTC)
    try:
        begins = [read_time(sas[name]) for name in ("st", "skt") if sas.get(name)]
        ends = [read_time(sas[name]) for name in ("se", "ske") if name in needed or sas.get(name)]
    except (KeyError, ValueError):
        raise bad_signature("A time of the SAS is missing or not well formed.") from None
    if any(moment >= end for end in ends) or any(moment < start for start in begins):
        text = (
            f"Start [{sas.get('st', '')}] - Expiry [{sas.get('se', '')}] - Current [{moment:%a, %d %b %Y %H:%M:%S} GMT]"
        )
        raise bad_signature(f"Signature not valid in the specified time frame: {text}")


def _within(address: str, given: str) -> bool:
    first, _, last = given.partition("-")
    try:
        client = ipaddress.ip_address(address)
        return int(ipaddress.ip_address(first)) <= int(client) <= int(ipaddress.ip_address(last or first))
    except ValueError:
        return False
