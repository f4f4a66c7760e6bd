"""What Azure OpenAI does when it does not answer as one would like; each class is a word of `fault: {on: openai, …}`."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from peeklock.scenario.durations import Duration
from peeklock.standins.openai.errors import OpenAIError, internal_error, prompt_filtered, too_many_requests
from peeklock.standins.openai.reply import Reply


@dataclass(frozen=True, kw_only=True)
class OpenAIFault:
    """A fault refuses a request, or spoils the answer to it. By itself it does neither."""

    kind: ClassVar[str]
    short: ClassVar[str] = ""
    """The setting that a bare value gives; empty: the bare value is `true`."""
    summary: ClassVar[str]

    deployment: str | None = None

    def refusal(self) -> OpenAIError | None:
        """Return the error that is answered instead; no rule is asked then."""
        return None

    def spoil(self, reply: Reply) -> Reply:
        """Return what becomes of an answer."""
        return reply


@dataclass(frozen=True, kw_only=True)
class RateLimited(OpenAIFault):
    """429 with `retry-after-ms` and `Retry-After`."""

    kind: ClassVar[str] = "rate_limited"
    short: ClassVar[str] = "retry_after"
    summary: ClassVar[str] = "429 with `retry-after-ms` and `Retry-After`"

    retry_after: Duration = 1.0

    def refusal(self) -> OpenAIError | None:
        """Answer 429."""
        headers = {
            "retry-after-ms": str(round(self.retry_after * 1000)),
            "retry-after": str(math.ceil(self.retry_after)),
        }
        return too_many_requests(math.ceil(self.retry_after), headers)


@dataclass(frozen=True, kw_only=True)
class ServerError(OpenAIFault):
    """500, 502, 503 … with Azure's body."""

    kind: ClassVar[str] = "server_error"
    short: ClassVar[str] = "code"
    summary: ClassVar[str] = "an error of the service, 500 unless `code` says another"

    code: int = 500

    def refusal(self) -> OpenAIError | None:
        """Answer with the status."""
        return internal_error(self.code)


@dataclass(frozen=True, kw_only=True)
class ContentFilter(OpenAIFault):
    """The prompt or the completion is filtered."""

    kind: ClassVar[str] = "content_filter"
    short: ClassVar[str] = "of"
    summary: ClassVar[str] = (
        "the `prompt` is filtered (400), or the `completion` (200, `finish_reason: content_filter`)"
    )

    of: Literal["prompt", "completion"] = "prompt"

    def refusal(self) -> OpenAIError | None:
        """Refuse a prompt."""
        return prompt_filtered() if self.of == "prompt" else None

    def spoil(self, reply: Reply) -> Reply:
        """Withhold a completion."""
        return replace(reply, content=_half(reply.content), finish_reason="content_filter", filtered=True)


@dataclass(frozen=True, kw_only=True)
class Refusal(OpenAIFault):
    """The model declines."""

    kind: ClassVar[str] = "refusal"
    short: ClassVar[str] = "text"
    summary: ClassVar[str] = "the model declines: `refusal` holds a text, `content` is null"

    text: str = "I'm sorry, I can't assist with that."

    def spoil(self, reply: Reply) -> Reply:
        """Decline."""
        return replace(reply, content=None, refusal=self.text, finish_reason="stop")


@dataclass(frozen=True, kw_only=True)
class CutOff(OpenAIFault):
    """An answer that ends in its middle, and says that it is whole."""

    kind: ClassVar[str] = "cut_off"
    summary: ClassVar[str] = "the content ends in its middle, with `finish_reason: stop`: JSON that is none"

    def spoil(self, reply: Reply) -> Reply:
        """Cut it."""
        return replace(reply, content=_half(reply.content))


@dataclass(frozen=True, kw_only=True)
class Length(OpenAIFault):
    """An answer that was longer than the tokens that it had."""

    kind: ClassVar[str] = "length"
    summary: ClassVar[str] = "the content ends in its middle, with `finish_reason: length`"

    def spoil(self, reply: Reply) -> Reply:
        """Cut it, and say so."""
        return replace(reply, content=_half(reply.content), finish_reason="length")


def _half(content: str | None) -> str:
    return (content or "")[: len(content or "") // 2]


KINDS: dict[str, type[OpenAIFault]] = {
    fault.kind: fault for fault in (RateLimited, ServerError, ContentFilter, Refusal, CutOff, Length)
}
