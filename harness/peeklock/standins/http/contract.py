"""An OpenAPI contract: what a request and an answer have to be like, and the answers of its examples.

Costs 0.4 s to import: only stand-ins that have a contract pay for it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from jsonschema_path import SchemaPath
from jsonschema_path.readers import FilePathReader
from openapi_core import OpenAPI
from openapi_core.datatypes import RequestParameters
from openapi_core.templating.paths.datatypes import PathOperationServer
from openapi_core.templating.paths.exceptions import PathError
from openapi_core.templating.paths.finders import APICallPathFinder
from openapi_core.templating.security.exceptions import SecurityNotFound
from werkzeug.datastructures import Headers, ImmutableMultiDict
from werkzeug.http import parse_cookie

from peeklock.redaction import redact
from peeklock.servicebus.http import HttpReply, HttpRequest
from peeklock.standins.http.contract_errors import ContractInvalid, first, inside, invalid, line_in, remote, unreadable
from peeklock.standins.http.request import StandInRequest

_HERE = "http://stand-in"
_METHODS = ("get", "post", "put", "patch", "delete", "head", "options")


class Contract:
    """An OpenAPI 3 contract. Its paths stand below the paths of its `servers`, wherever those are."""

    def __init__(self, file: Path) -> None:
        """Raises `ContractInvalid`."""
        self.file = file
        try:
            written, uri = FilePathReader(str(file)).read()
        except Exception as error:  # noqa: BLE001  readers of YAML and JSON raise what they like
            raise unreadable(file, error) from None
        if not isinstance(written, Mapping) or not str(written.get("openapi", "")).startswith("3."):
            raise ContractInvalid(
                f"{file.name} is no OpenAPI 3 contract", expected="openapi: 3.0.x or 3.1.x", fix="convert it"
            )
        if (elsewhere := remote(file, written)) is not None:
            raise elsewhere
        self._written = written
        try:
            placed = _placed(written)
            self._openapi = OpenAPI.from_dict(placed, base_uri=uri)
        except Exception as error:  # noqa: BLE001  what a contract can have wrong has as many classes
            raise invalid(file, written, error) from None
        self._prefix = urlsplit(placed["servers"][0]["url"]).path

    def operations(self) -> dict[str, tuple[str, ...]]:
        """Return every operation, as `POST /jobs/{id}`, with the statuses of its answers as they are written: `200`, `4XX`, `default`."""
        return {
            _title(method, path): tuple(status for status, _ in _responses(item / method))
            for path, item in (self._openapi.spec / "paths").str_items()
            for method in _METHODS
            if method in item
        }

    def operation(self, method: str, path: str) -> str | None:
        """Return which of the `operations` a method and a path are; None for none of them."""
        found = self._found(method, path)
        return None if found is None else _title(method, found.path_result.pattern)

    def request_errors(self, request: StandInRequest) -> list[str]:
        """Return what is wrong with a request, a sentence each."""
        errors = self._openapi.iter_request_errors(_Asked.of(request))
        return _told_of(errors, "body", request.method, request.path)

    def answer_errors(self, method: str, path: str, reply: HttpReply) -> list[str]:
        """Return what is wrong with an answer; nothing where the contract does not know what was asked."""
        errors = self._openapi.iter_response_errors(_Asked.bare(method, path), _Answered.of(reply))
        return _told_of((error for error in errors if not isinstance(error, PathError)), "answer", method, path)

    def example(self, method: str, path: str) -> HttpReply | None:
        """Return the first example of a good answer; an answer without a body needs none. None when there is no example."""
        found = self._found(method, path)
        for status, response in _responses(found.operation) if found is not None else ():
            if status[:1] != "2":
                continue
            code = int(status) if status.isdecimal() else 200
            if "content" not in response:
                return HttpReply(code, kind="")
            for media, content in (response / "content").str_items():
                if (found := _example(content)) is not _NOTHING:
                    text = found if isinstance(found, str) and "json" not in media else json.dumps(found)
                    return HttpReply(code, text.encode(), media)
        return None

    def examples(self) -> Iterator[tuple[str, str, list[str]]]:
        """Yield the method and path of each operation that an example answers, and what is wrong with the example, a sentence each."""
        for path in self._written.get("paths") or ():
            sample = self._prefix + re.sub(r"\{[^}]*\}", "x", path)
            for method in (each.upper() for each in _METHODS):
                if (reply := self.example(method, sample)) is not None:
                    wrong = self.answer_errors(method, sample, reply)
                    place = line_in(self.file, ("paths", path, method.lower())) if wrong else ""
                    yield method, sample, [place + each for each in wrong]

    def _found(self, method: str, path: str) -> PathOperationServer | None:
        try:
            return APICallPathFinder(self._openapi.spec).find(method.lower(), _HERE + path)
        except PathError:
            return None


_NOTHING: Any = object()


def _responses(operation: SchemaPath) -> Iterator[tuple[str, SchemaPath]]:
    """Yield the answers of an operation; OpenAPI 3.1 lets it have none."""
    if "responses" in operation:
        yield from (operation / "responses").str_items()


def _title(method: str, path: str) -> str:
    return f"{method.upper()} {path}"


def _example(content: Any) -> Any:
    if "example" in content:
        return (content / "example").read_value()
    for _, each in (content / "examples").str_items() if "examples" in content else ():
        if "value" in each:
            return (each / "value").read_value()
    if "schema" in content and "example" in (schema := content / "schema"):
        return (schema / "example").read_value()
    return _NOTHING


def _placed(written: Mapping[str, Any]) -> dict[str, Any]:
    """Return a contract with the stand-in in the place of its servers."""
    prefixes: dict[str, None] = {}
    for server in written.get("servers") or [{"url": "/"}]:
        url = str(server.get("url", "/")) if isinstance(server, Mapping) else "/"
        for name, variable in (server.get("variables") or {}).items() if isinstance(server, Mapping) else ():
            url = url.replace(f"{{{name}}}", str(variable.get("default", "")))
        prefixes["/" + urlsplit(url).path.strip("/")] = None
    servers = [{"url": _HERE + prefix.rstrip("/")} for prefix in prefixes]
    paths = written.get("paths")
    if isinstance(paths, Mapping):
        paths = {path: _without_servers(item) for path, item in paths.items()}
        return {**written, "servers": servers, "paths": paths}
    return {**written, "servers": servers}


def _without_servers(item: Any) -> Any:
    if not isinstance(item, Mapping):
        return item
    kept = {key: value for key, value in item.items() if key != "servers"}
    for method in _METHODS:
        if isinstance(operation := kept.get(method), Mapping):
            kept[method] = {key: value for key, value in operation.items() if key != "servers"}
    return kept


@dataclass
class _Asked:
    """A request as openapi-core wants it."""

    host_url: str
    path: str
    method: str
    body: bytes | None
    content_type: str
    parameters: RequestParameters

    @classmethod
    def of(cls, request: StandInRequest) -> _Asked:
        http = request.http
        parameters = RequestParameters(
            query=ImmutableMultiDict(parse_qsl(http.target.partition("?")[2], keep_blank_values=True)),
            header=Headers(list(http.headers.items())),
            cookie=ImmutableMultiDict(parse_cookie(http.headers.get("cookie"))),
        )
        kind, semicolon, rest = http.headers.get("content-type", "").partition(";")
        return cls(
            _HERE, request.path, http.method.lower(), http.body or None, kind.lower() + semicolon + rest, parameters
        )

    @classmethod
    def bare(cls, method: str, path: str) -> _Asked:
        """One without anything, for looking up its operation."""
        return cls.of(StandInRequest(HttpRequest(method, quote(path), {})))


@dataclass
class _Answered:
    status_code: int
    content_type: str
    headers: Headers
    data: bytes

    @classmethod
    def of(cls, reply: HttpReply) -> _Answered:
        return cls(reply.status, reply.kind.lower(), Headers(list(reply.headers)), reply.body)


def _told_of(errors: Iterable[Exception], root: str, method: str, path: str) -> list[str]:
    try:
        return [redact(sentence) for error in errors for sentence in _of(error, root, method, path)]
    except Exception as error:  # noqa: BLE001  of a content type without a slash, of JSON nested too deeply …
        return [redact(f"{root}: it cannot be read: {first(error)}")]


def _of(error: BaseException, root: str, method: str, path: str) -> list[str]:
    if isinstance(error, PathError):
        return [f"it knows no {method} {path}"]
    chain = [error]
    while (cause := chain[-1].__cause__) is not None:
        chain.append(cause)
    for each in chain:
        if isinstance(each, SecurityNotFound):
            schemes = " or ".join(" and ".join(names) for names in each.schemes)
            return [f"it asks for credentials ({schemes}), and the request has none"]
        if schema_errors := list(getattr(each, "schema_errors", None) or ()):
            prefix = _told(error) if "Parameter" in type(error).__name__ else root
            return [f"{prefix}{inside(found.absolute_path)}: {found.message}" for found in schema_errors]
    told = [_told(each) for each in chain[:2]]
    return [told[0] if told[-1] in told[0] else ": ".join(told)]


def _told(error: BaseException) -> str:
    return str(error).removeprefix(f"{type(error).__name__}: ")
