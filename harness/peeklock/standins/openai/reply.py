"""An answer before it has a form: whole or in pieces, with the numbers around it."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from peeklock.standins.openai.errors import CATEGORIES

_SAFE = {name: {"filtered": False, "severity": "safe"} for name in CATEGORIES}
_FILTERED = {**_SAFE, "violence": {"filtered": True, "severity": "medium"}}
_PIECE = 16
"""Characters of a chunk of a stream."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model says."""

    model: str
    created: int
    prompt_tokens: int
    content: str | None
    refusal: str | None = None
    finish_reason: str = "stop"
    filtered: bool = False
    choices: int = 1
    recorded: Mapping[str, Any] | None = None
    """A whole completion that goes out as it is."""
    id: str = field(default_factory=lambda: f"chatcmpl-{uuid.uuid4().hex[:29]}")

    def completion(self) -> dict[str, Any]:
        """Return the body of an answer that is not streamed."""
        if self.recorded is not None:
            return dict(self.recorded)
        message: dict[str, Any] = {
            "role": "assistant",
            "content": self.content,
            "refusal": self.refusal,
            "annotations": [],
        }
        return {
            "id": self.id,
            "object": "chat.completion",
            "created": self.created,
            "model": self.model,
            "system_fingerprint": None,
            "choices": [
                {
                    "index": index,
                    "message": message,
                    "finish_reason": self.finish_reason,
                    "logprobs": None,
                    "content_filter_results": _FILTERED if self.filtered else _SAFE,
                }
                for index in range(self.choices)
            ],
            "usage": self._usage(),
            "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": _SAFE}],
        }

    async def stream(self, include_usage: bool) -> AsyncIterator[bytes]:
        """Yield the events of a streamed answer, `[DONE]` at the end."""
        whole = self.completion()
        head = {"id": whole["id"], "object": "chat.completion.chunk", "created": whole["created"], "model": whole["model"]}  # fmt: skip
        first = {"id": "", "object": "", "created": 0, "model": "", "choices": []}
        yield _event({**first, "prompt_filter_results": whole.get("prompt_filter_results", [])})
        for choice in whole["choices"]:
            index = choice["index"]
            for delta in _deltas(choice["message"]):
                yield _event({**head, "choices": [{"index": index, "delta": delta, "finish_reason": None}]})
            last = {"index": index, "delta": {}, "finish_reason": choice["finish_reason"]}
            yield _event({**head, "choices": [{**last, "content_filter_results": choice.get("content_filter_results", {})}]})  # fmt: skip
        if include_usage:
            yield _event({**head, "choices": [], "usage": whole.get("usage")})
        yield b"data: [DONE]\n\n"

    def _usage(self) -> dict[str, Any]:
        answered = tokens((self.content or "") + (self.refusal or "")) * self.choices
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": answered,
            "total_tokens": self.prompt_tokens + answered,
        }


def tokens(text: str) -> int:
    """Return about how many tokens a text has: four characters each."""
    return -(-len(text) // 4)


def _deltas(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    for key in ("content", "refusal"):
        text = message.get(key) or ""
        deltas += [{key: text[start : start + _PIECE]} for start in range(0, len(text), _PIECE)]
    calls = message.get("tool_calls") or []
    return deltas + [{"tool_calls": [{"index": number, **call}]} for number, call in enumerate(calls)]


def _event(data: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(data, separators=(",", ":")).encode() + b"\n\n"
