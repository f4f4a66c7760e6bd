"""User delegation keys: nothing of them is kept, for each can be made again from what its SAS says."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from xml.sax.saxutils import escape

from peeklock.stack.blob_door.principal import Principal
from peeklock.stack.blob_door.refusals import bad_request

_FIELDS = ("skoid", "sktid", "skt", "ske", "sks", "skv", "skdutid")
_LONGEST = timedelta(days=7)
_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}")
_NODE = re.compile(rb"<(Start|Expiry|DelegatedUserTid)>([^<]*)</\1>")


def read_time(text: str) -> datetime:
    """Read a time as it stands in a SAS or a key. Raises `ValueError`."""
    read = datetime.fromisoformat(text)
    return read if read.tzinfo else read.replace(tzinfo=UTC)


class DelegationKeys:
    """The keys of one account, derived from a secret of its door."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def value(self, sas: Mapping[str, str]) -> str:
        """Return the key, in base64, that the parameters of a SAS name."""
        named = json.dumps([sas.get(name, "") for name in _FIELDS])  # no value can reach into the next one
        return base64.b64encode(hmac.new(self._secret, named.encode(), hashlib.sha256).digest()).decode()

    def document(self, principal: Principal, body: bytes, version: str, now: float) -> bytes:
        """Answer a request for a key. Raises `Refused`."""
        if not _VERSION.fullmatch(version):
            raise bad_request(
                "InvalidHeaderValue", "The value for one of the HTTP headers is not in the correct format."
            )
        asked = {name.decode(): value.decode("utf-8", "replace") for name, value in _NODE.findall(body)}
        here = datetime.fromtimestamp(now, UTC)
        try:
            expiry = read_time(asked["Expiry"])
            start = read_time(asked["Start"]) if asked.get("Start") else here
        except (KeyError, ValueError):
            raise bad_request("InvalidXmlDocument", "XML specified is not syntactically valid.") from None
        if expiry <= max(start, here) or expiry > here + _LONGEST:
            text = "The value for one of the XML nodes is not in the correct format."
            raise bad_request("InvalidXmlNodeValue", text)
        fields = {
            "skoid": principal.object_id,
            "sktid": principal.tenant,
            "skt": asked.get("Start") or start.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "ske": asked["Expiry"],
            "sks": "b",
            "skv": version,
            "skdutid": asked.get("DelegatedUserTid", ""),
        }
        nodes = {
            "SignedOid": fields["skoid"],
            "SignedTid": fields["sktid"],
            "SignedStart": fields["skt"],
            "SignedExpiry": fields["ske"],
            "SignedService": "b",
            "SignedVersion": version,
            "SignedDelegatedUserTid": fields["skdutid"],
            "Value": self.value(fields),
        }
        inner = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in nodes.items() if value)
        return f'<?xml version="1.0" encoding="utf-8"?><UserDelegationKey>{inner}</UserDelegationKey>'.encode()
