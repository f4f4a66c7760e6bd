"""Shared access signatures: `SharedAccessSignature sr=…&sig=…&se=…&skn=…` (S-25)."""

from __future__ import annotations

import base64
import hashlib
import hmac
from urllib.parse import quote_plus, unquote_plus


class SasToken:
    """A token as it came; nothing of it is true before `signed_with`. `resource` is the URI that it was made for, `rule` the
    name of the rule that is said to have signed it, `expires` in epoch seconds, None for what is no number."""

    __slots__ = ("_expiry", "_signature", "_sr", "expires", "resource", "rule")

    def __init__(self, token: str) -> None:
        rest = token.partition(" ")[2]
        fields = dict(part.split("=", 1) for part in rest.strip().split("&") if "=" in part)
        self._sr, self._expiry = fields.get("sr", ""), fields.get("se", "")
        self._signature = unquote_plus(fields.get("sig", "")).encode("utf-8", "replace")
        self.resource = unquote_plus(self._sr)
        self.rule = unquote_plus(fields.get("skn", ""))
        self.expires = int(self._expiry) if self._expiry.isdecimal() and len(self._expiry) <= 12 else None

    def signed_with(self, key: str) -> bool:
        """True when the holder of the key has signed the token, over its fields as they came."""
        return hmac.compare_digest(_sign(key, self._sr, self._expiry), self._signature)


def _sign(key: str, sr: str, expiry: str) -> bytes:
    digest = hmac.new(key.encode(), f"{sr}\n{expiry}".encode("utf-8", "replace"), hashlib.sha256).digest()
    return base64.b64encode(digest)


def make_token(uri: str, rule: str, key: str, expires: int) -> str:
    """Make a SAS token for `uri`, valid until `expires` (epoch seconds); the key is used as text."""
    sr = quote_plus(uri)
    signature = quote_plus(_sign(key, sr, str(expires)).decode())
    return f"SharedAccessSignature sr={sr}&sig={signature}&se={expires}&skn={quote_plus(rule)}"
