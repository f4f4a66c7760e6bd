"""Removes credentials from anything on its way to a log."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

REDACTED = "[redacted]"

# A SAS signature, the keys in a connection string, and the Authorization header in either of its spellings.
_IN_TEXT = (
    re.compile(r"(?i)(\bsig=)[^&\s\"'<>\\]+"),
    re.compile(r"(?i)(\b(?:SharedAccessKey|AccountKey|SharedAccessSignature)=)[^;\s\"'\\]+"),
    re.compile(r"(?i)(\bBearer\s+)[A-Za-z0-9._~+/=-]+"),
    re.compile(r"(?i)(\b[a-z][a-z0-9+.-]*://[^/\s:@\"']*:)[^/\s@\"']+(?=@)"),
)
_SECRET_NAME = re.compile(r"(?i)(token|secret|password|api_?key|account_?key|authorization|connection_?string)$")


def redact_text(text: str) -> str:
    """Return ``text`` with signatures, keys, bearer tokens and URL passwords replaced by ``[redacted]``."""
    for pattern in _IN_TEXT:
        text = pattern.sub(rf"\g<1>{REDACTED}", text)
    return text


def without_query(url: str) -> str:
    """Return ``url`` up to its query: what a log may say about a SAS URL."""
    return url.partition("?")[0]


def redactor(*secrets: str) -> Callable[[Any, str, Mapping[str, Any]], dict[str, Any]]:
    """Return a structlog processor that removes credentials from every value, however deeply it is nested.

    ``secrets`` are literal values (this service's own token) that no pattern could recognise.
    """
    literals = [secret for secret in secrets if secret]

    def clean(name: str, value: Any) -> Any:
        if isinstance(value, str):
            if _SECRET_NAME.search(name):
                return REDACTED
            for literal in literals:
                value = value.replace(literal, REDACTED)
            return redact_text(value)
        if isinstance(value, bytes):
            return clean(name, value.decode("utf-8", "replace"))
        if isinstance(value, Mapping):
            return {str(key): clean(str(key), item) for key, item in value.items()}
        if isinstance(value, (list, tuple, set, frozenset)):
            return [clean(name, item) for item in value]
        if value is None or isinstance(value, (bool, int, float)):
            return value
        return clean(name, str(value))

    def process(_logger: Any, _method: str, event: Mapping[str, Any]) -> dict[str, Any]:
        return {key: clean(key, value) for key, value in event.items()}

    return process
