"""A request as rules, functions and the journal see it."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from peeklock.standins.openai.reply import tokens

Operation = Literal["chat_completions", "embeddings"]
_TOKENS_OF_A_PICTURE = 765


@dataclass(slots=True)
class Picture:
    """A picture of a request: its bytes, or the link at which it is."""

    url: str = ""
    """Of a link; empty for a picture that came with the request."""
    media_type: str = ""
    data: bytes | None = None
    detail: str = "auto"

    def view(self) -> dict[str, Any]:
        """Return what the journal tells of it, which is not the picture itself."""
        shown: dict[str, Any] = {"media_type": self.media_type, "detail": self.detail}
        if self.url:
            shown["url"] = self.url
        if self.data is not None:
            shown |= {"size": len(self.data), "sha256": hashlib.sha256(self.data).hexdigest()}
        return shown


@dataclass(slots=True)
class OpenAIRequest:
    """One request to a deployment."""

    operation: Operation
    api: Literal["deployments", "v1"]
    deployment: str
    api_version: str
    caller: str
    """The service whose key or token it has; empty for the test's own."""
    body: Mapping[str, Any]
    pictures: list[Picture] = field(default_factory=list)
    sent_as: Mapping[str, str] | None = None
    """The identity of its caller and the role that lets it in, if it has a token."""

    @property
    def text(self) -> str:
        """What users say, or what is to be embedded."""
        if self.operation == "embeddings":
            return "\n".join(map(str, self.inputs()))
        return _said_by(self.body, {"user"})

    @property
    def instructions(self) -> str:
        """What the system and developer messages say."""
        return _said_by(self.body, {"system", "developer"})

    @property
    def stream(self) -> bool:
        """Whether the answer is to come in pieces."""
        return self.body.get("stream") is True

    @property
    def schema(self) -> Any:
        """The JSON Schema that the answer has to keep to; None without one."""
        wanted = self.body.get("response_format")
        if not isinstance(wanted, dict) or wanted.get("type") != "json_schema":
            return None
        return (wanted.get("json_schema") or {}).get("schema")

    def inputs(self) -> list[Any]:
        """What is to be embedded."""
        given = self.body.get("input", "")
        single = isinstance(given, str) or (isinstance(given, list) and given and isinstance(given[0], int))
        return [given] if single else list(given)

    def prompt_tokens(self) -> int:
        """About how many tokens it has."""
        return tokens(self.text) + tokens(self.instructions) + _TOKENS_OF_A_PICTURE * len(self.pictures)

    def view(self) -> dict[str, Any]:
        """Return what `when` and `where` see. Pictures are told of, not shown."""
        shown: dict[str, Any] = {
            "operation": self.operation,
            "api": self.api,
            "deployment": self.deployment,
            "api_version": self.api_version,
            "caller": self.caller,
            "sent_as": self.sent_as or "",
            "text": self.text,
            "instructions": self.instructions,
            "images": [picture.view() for picture in self.pictures],
            "stream": self.stream,
            "body": _without_pictures(self.body),
        }
        return {key: value for key, value in shown.items() if value != ""}

    def for_function(self) -> dict[str, Any]:
        """Return what a function of the user's gets: the same, with the bytes of the pictures."""
        images = [{**each.view(), "data": each.data} for each in self.pictures]
        return {"text": "", "instructions": "", **self.view(), "images": images}


def pictures_of(body: Mapping[str, Any]) -> list[Picture]:
    """Return the pictures of a request, links not followed yet. Raises `ValueError` for a data URL that is none."""
    found = []
    for part in _parts(body):
        if part.get("type") == "image_url":
            image = part.get("image_url")
            image = {"url": image} if isinstance(image, str) else image or {}
            found.append(_picture(str(image.get("url", "")), str(image.get("detail") or "auto")))
    return found


def _picture(url: str, detail: str) -> Picture:
    if not url.startswith("data:"):
        return Picture(url=url, detail=detail)
    head, comma, data = url.removeprefix("data:").partition(",")
    media_type, *options = head.split(";")
    if not comma or "base64" not in options:
        raise ValueError("Invalid image data URL: expected data:image/jpeg;base64,…")
    try:
        return Picture(media_type=media_type, data=base64.b64decode(data, validate=True), detail=detail)
    except binascii.Error:
        raise ValueError("Invalid image data.") from None


def _messages(body: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    messages = body.get("messages")
    yield from (each for each in messages if isinstance(each, dict)) if isinstance(messages, list) else ()


def _parts(body: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for message in _messages(body):
        if isinstance(content := message.get("content"), list):
            yield from (part for part in content if isinstance(part, dict))


def _said_by(body: Mapping[str, Any], roles: set[str]) -> str:
    texts: list[str] = []
    for message in _messages(body):
        if message.get("role") in roles:
            content = message.get("content")
            if isinstance(content, str):
                texts.append(content)
            else:
                texts += [str(part["text"]) for part in _parts({"messages": [message]}) if "text" in part]
    return "\n".join(texts)


def _without_pictures(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_pictures(child) for key, child in value.items()}
    if isinstance(value, list):
        return [_without_pictures(child) for child in value]
    if isinstance(value, str) and value.startswith("data:image/"):
        return f"{value.partition(',')[0]},… ({len(value)} characters)"
    return value
