"""A request as routes, functions and the journal see it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl, unquote

from peeklock.redaction import MASK
from peeklock.servicebus.http import HttpRequest
from peeklock.standins.http.request_body import FORM, MULTIPART, by_name, value_of

_SECRET_HEADERS = (
    "api-key", "apikey", "authorization", "cookie", "functions-key", "password", "secret", "subscription-key", "token",
)  # fmt: skip
"""What the names of headers end with that hold keys and tokens."""
_SECRET_FIELDS = frozenset({
    "access_token", "api-key", "api_key", "apikey", "assertion", "client_assertion", "client_secret", "password",
    "refresh_token", "sig", "subscription-key", "token",
})  # fmt: skip
"""Fields of queries and forms that hold keys and tokens."""
_FUNCTION_KEY = 40
"""Characters of the shortest key of an Azure function."""


@dataclass(frozen=True)
class StandInRequest:
    """One request to an HTTP stand-in."""

    http: HttpRequest
    more: Mapping[str, Any] = field(default_factory=dict)
    """What its kind of stand-in knows of it: caller, deployment …"""

    @property
    def method(self) -> str:
        """In capitals."""
        return self.http.method

    @cached_property
    def path(self) -> str:
        """Unquoted, but for slashes inside a part."""
        return "/".join(unquote(part).replace("/", "%2F") for part in self.http.path.split("/"))

    @cached_property
    def query(self) -> dict[str, Any]:
        """A text for each parameter; a list where it is repeated."""
        return by_name(parse_qsl(self.http.target.partition("?")[2], keep_blank_values=True))

    @property
    def media_type(self) -> str:
        """Without its parameters."""
        return self.http.headers.get("content-type", "").partition(";")[0].strip().lower()

    @cached_property
    def body(self) -> Any:
        """A value of JSON, the fields of a form, a text, or None for bytes and for nothing."""
        return value_of(self.http.body, self.http.headers.get("content-type", ""))

    def real(self, parameters: Mapping[str, str]) -> dict[str, Any]:
        """Return what `when` is held against: everything, keys and tokens included."""
        return self._shown(parameters, dict(self.http.headers), self.query, self.body)

    def view(self, parameters: Mapping[str, str]) -> dict[str, Any]:
        """Return what the journal and `${request.…}` show: no key and no token."""
        headers = {name: _masked(value) if _is_secret(name) else value for name, value in self.http.headers.items()}
        body = self.body
        if self.media_type in (FORM, MULTIPART) and isinstance(body, dict):
            body = _without_secrets(body)
        return self._shown(parameters, headers, _without_secrets(self.query), body)

    def for_function(self, parameters: Mapping[str, str]) -> dict[str, Any]:
        """Return what a function of the user's gets: everything, and the bytes of the body."""
        return {"body": None, **self.real(parameters), "data": self.http.body}

    @staticmethod
    def is_secret(path: str) -> bool:
        """Tell whether what stands at a path of `real` is hidden in `view`."""
        section, _, name = path.partition(".")
        return (section == "headers" and (not name or _is_secret(name))) or name in {*_SECRET_FIELDS, "code"}

    def _shown(
        self, parameters: Mapping[str, str], headers: dict[str, str], query: dict[str, Any], body: Any
    ) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "method": self.method,
            "path": self.path,
            "parameters": dict(parameters),
            "query": query,
            "headers": headers,
            "size": len(self.http.body),
            **self.more,
        }
        if body is not None:
            shown["body"] = body
        elif self.http.body:
            shown["sha256"] = hashlib.sha256(self.http.body).hexdigest()
        return shown


def _is_secret(header: str) -> bool:
    return header.endswith(_SECRET_HEADERS)


def _masked(value: str) -> str:
    """Keep the scheme of an `Authorization`."""
    scheme, space, _ = value.partition(" ")
    return f"{scheme} {MASK}" if space and scheme.isalpha() else MASK


def _without_secrets(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: MASK if _hidden(name, value) else value for name, value in fields.items()}


def _hidden(name: str, value: Any) -> bool:
    """`code` is the key of an Azure function, or a country's."""
    return name.lower() in _SECRET_FIELDS or (name == "code" and len(str(value)) >= _FUNCTION_KEY)
