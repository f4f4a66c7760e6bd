"""Faults that the Azure OpenAI stand-in makes itself, in the words of scenarios: made from their classes there."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar, get_type_hints

from pydantic import Field, create_model

from peeklock.stack.faults.fault import Fault, Layer
from peeklock.standins import openai


class OpenAIWords(Fault):
    """A fault of the stand-in."""

    layer: ClassVar[Layer] = "openai"
    counted: ClassVar[bool] = True
    made: ClassVar[type[openai.OpenAIFault]]

    deployment: str | None = Field(None, description="absent: every deployment")

    def behaviour(self) -> openai.OpenAIFault:
        """Return the fault as the stand-in knows it."""
        return self.made(**self.model_dump())


def _in_words(fault: type[openai.OpenAIFault]) -> type[OpenAIWords]:
    hints = get_type_hints(fault, include_extras=True)
    own = [field for field in dataclasses.fields(fault) if field.name != "deployment"]
    fields: dict[str, Any] = {field.name: (hints[field.name], field.default) for field in own}
    words = create_model(fault.__name__, __base__=OpenAIWords, __doc__=f"{fault.summary}.", **fields)
    words.kind, words.short, words.summary, words.made = fault.kind, fault.short, fault.summary, fault
    return words


OPENAI: tuple[type[OpenAIWords], ...] = tuple(_in_words(fault) for fault in openai.KINDS.values())
