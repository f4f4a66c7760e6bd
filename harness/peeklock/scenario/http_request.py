"""A request as `http` describes it."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from typing import Any

from pydantic import Field, model_validator

from peeklock.scenario.durations import Duration
from peeklock.scenario.fields import FilePath, Model, Times
from peeklock.scenario.values import ValueInvalid

_METHODS = ("get", "head", "post", "put", "patch", "delete")


class Part(Model):
    """One file of a multipart form."""

    file: FilePath | None = None
    text: str | None = None
    base64: str | None = None
    filename: str | None = None
    content_type: str | None = None

    @model_validator(mode="after")
    def _one(self) -> Part:
        if sum(each is not None for each in (self.file, self.text, self.base64)) != 1:
            raise ValueError("say exactly one of file, text or base64")
        return self

    @property
    def written_out(self) -> bytes:
        """What stands in the scenario itself, rather than in a file. Raises `ValueInvalid` for base64 that is none."""
        if self.base64 is None:
            return (self.text or "").encode()
        try:
            return b64decode(self.base64, validate=True)
        except ValueError as error:
            raise ValueInvalid(f"base64: {error}") from None


class HttpArguments(Model):
    """One request: a method with its path or URL, and what goes with it."""

    get: str | None = None
    head: str | None = None
    post: str | None = None
    put: str | None = None
    patch: str | None = None
    delete: str | None = None
    on: str | None = Field(None, description="the service that a path goes to; default: defaults.http.service")
    query: dict[str, Any] = {}
    headers: dict[str, str | None] = Field({}, description="null takes a default header away")
    json_: Any = Field(None, alias="json")
    text: str | None = None
    file: FilePath | None = Field(None, description="a file as the body")
    form: dict[str, str | int | float | bool] = {}
    files: dict[str, Part] = Field({}, description="a multipart form, by field")
    timeout: Duration = Field(30.0, gt=0)
    times: Times = Field(
        1,
        description="how often, or a list: once for each `${item}`; `${…}` is looked up anew each time, `${index}` counts from 0",
    )
    parallel: int = Field(1, ge=1, le=100, description="of `times`, so many at once")

    @model_validator(mode="after")
    def _one_method(self) -> HttpArguments:
        if sum(getattr(self, method) is not None for method in _METHODS) != 1:
            raise ValueError("say exactly one of " + ", ".join(_METHODS))
        bodies = [self.json_ is not None, self.text is not None, self.file is not None, bool(self.form or self.files)]
        if sum(bodies) > 1:
            raise ValueError("a request has one body: say one of json, text, file or form with files")
        return self

    @property
    def method(self) -> str:
        """The method in lower case."""
        return next(method for method in _METHODS if getattr(self, method) is not None)

    @property
    def target(self) -> str:
        """The path or URL."""
        return str(getattr(self, self.method))

    @property
    def content(self) -> bytes | None:
        """The body that is a text or a file; None for any other."""
        if self.text is not None:
            return self.text.encode()
        return self.file.read_bytes() if self.file else None

    def sent_headers(self, correlation_id: str, defaults: Mapping[str, str]) -> dict[str, str]:
        """Return what it is sent with, in lower case: its own headers, and `defaults` that it does not take away."""
        headers = {"x-correlation-id": correlation_id, **{key.lower(): value for key, value in defaults.items()}}
        for key, value in self.headers.items():
            headers.pop(key.lower(), None)
            if value is not None:
                headers[key.lower()] = value
        return headers
