"""One deployment: what it says to a request."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from peeklock.errors import PeeklockError
from peeklock.scenario.matchers import Context, show
from peeklock.scenario.matchers.schema import schema_errors
from peeklock.scenario.topology import Answer, Deployment
from peeklock.standins.openai.reply import Reply
from peeklock.standins.openai.request import OpenAIRequest
from peeklock.standins.rules import Rules
from peeklock.standins.stand_in import Surroundings

FUNCTION_SECONDS = 60.0
"""How long a function has for its answer."""


class NoAnswer(PeeklockError):
    """A request that nothing in the scenario answers as it should: its case fails."""


class OpenAIDeployment:
    """Answers by the rules of the scenario."""

    def __init__(self, name: str, spec: Deployment, surroundings: Surroundings) -> None:
        self.spec = spec
        self.model = spec.model or name
        self._path = ("stack", "openai", "deployments", name)
        self._surroundings = surroundings
        self._rules = Rules(spec.answers, Context(surroundings.resolve, surroundings.folder))

    def reset(self) -> None:
        """Begin its sequences again."""
        self._rules.reset()

    async def answer(self, request: OpenAIRequest, created: int) -> tuple[Reply, int]:
        """Return what the first rule that fits says, and its number. Raises `NoAnswer`."""
        view = request.view()
        chosen = self._rules.choose(view)
        if chosen is None:
            rule, why = self._rules.nearest(view)
            raise NoAnswer(
                f"no rule answers a request to {request.deployment}",
                actual=show(view.get("text", "")),
                where=self._where(rule),
                fix=f"add a rule; the nearest is answers[{rule}]: {why}",
            )
        said = await self._said(chosen.answer, request, chosen.rule)
        base = Reply(self.model, created, request.prompt_tokens(), None, choices=_count(request.body))
        if isinstance(said, dict) and "choices" in said:
            return _recorded(base, said), chosen.rule
        content = said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)
        self._hold(request, said, chosen.rule)
        return _with(base, content), chosen.rule

    async def _said(self, answer: Answer, request: OpenAIRequest, rule: int) -> Any:
        if answer.python is not None:
            file, _, function = answer.python.rpartition(":")
            call = self._surroundings.functions.call
            inputs = {"request": request.for_function()}
            try:
                return await asyncio.to_thread(call, Path(file), function, inputs, FUNCTION_SECONDS)
            except PeeklockError as error:
                raise NoAnswer(error.problem, where=self._where(rule), fix=f"correct {function}") from error
        if answer.file is not None:
            text = await asyncio.to_thread(answer.file.read_text, encoding="utf-8")
            return json.loads(text) if answer.file.suffix == ".json" else text
        return self._surroundings.resolve(answer.json_ if answer.text is None else answer.text)

    def _hold(self, request: OpenAIRequest, said: Any, rule: int) -> None:
        """Hold an answer to the schema that the request has asked for, as the model itself would."""
        if request.schema is None:
            return
        try:
            value = json.loads(said) if isinstance(said, str) else said
        except ValueError:
            value = said
        if errors := schema_errors(request.schema, value):
            path, message = errors[0]
            raise NoAnswer(
                f"an answer of {request.deployment} is outside the schema that the request asks for",
                expected=f"{path}: {message}" if path else message,
                actual=show(value),
                where=self._where(rule),
                fix="correct the answer; for one that breaks its schema use a fault: cut_off, length or refusal",
            )

    def _where(self, rule: int) -> str:
        return self._surroundings.where((*self._path, "answers", rule))


def _count(body: Mapping[str, Any]) -> int:
    count = body.get("n")
    return count if isinstance(count, int) and 1 <= count <= 128 else 1


def _with(base: Reply, content: str) -> Reply:
    return Reply(base.model, base.created, base.prompt_tokens, content, choices=base.choices)


def _recorded(base: Reply, said: Mapping[str, Any]) -> Reply:
    whole = {"id": base.id, "object": "chat.completion", "created": base.created, "model": base.model, **said}
    first = said["choices"][0] if said["choices"] else {}
    message = first.get("message", {})
    return Reply(
        base.model,
        base.created,
        base.prompt_tokens,
        message.get("content"),
        message.get("refusal"),
        first.get("finish_reason") or "stop",
        recorded=whole,
    )
