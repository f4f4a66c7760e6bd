"""Has Azure OpenAI look at one picture, and tells what a retry can mend from what it cannot."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

import openai

from services.defectiq.contracts import FINDINGS
from services.defectiq.grants import OPENAI, GrantMissingError
from services.shared.outcomes import PermanentFailure, TransientFailure

INSTRUCTIONS = (
    "You inspect pictures of blades for defects. Say what you see and nothing else: defect_detected, and for a defect its "
    "type, its severity, a description of one sentence, your confidence, and a bounding box in pixels around each place. "
    "Without a defect, type and severity are null and there are no boxes."
)
# What strict structured output does not know; the artifact's contract is held to afterwards.
_NOT_STRICT = frozenset({"if", "then", "else", "minimum", "maximum", "maxLength", "maxItems"})


def strict(schema: Any) -> Any:
    """Return a JSON Schema without the keywords that strict structured output refuses."""
    if isinstance(schema, dict):
        return {key: strict(value) for key, value in schema.items() if key not in _NOT_STRICT}
    return [strict(item) for item in schema] if isinstance(schema, list) else schema


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was said about a picture: JSON that nobody has held to a contract yet, and by which model."""

    findings: Any
    model: str


@dataclass(frozen=True, slots=True)
class Inspector:
    """Asks ``deployment``. The client waits and repeats by itself first, as the service asks it to."""

    client: openai.AsyncAzureOpenAI
    deployment: str

    async def inspect(self, image: bytes, content_type: str, product_sku: str) -> Inspection:
        """Return what the model says.

        Raises ``TransientFailure`` when the service cannot say anything now, and ``PermanentFailure`` when it has said
        what another attempt would hear again: the content is filtered, the model declines, the answer is not JSON.
        """
        picture = f"data:{content_type};base64,{base64.b64encode(image).decode()}"
        try:
            answer = await self.client.chat.completions.create(
                model=self.deployment,
                messages=[
                    {"role": "system", "content": INSTRUCTIONS},
                    {
                        "role": "user",
                        "content": [
                            {"type": "text", "text": f"Inspect this blade, product {product_sku}."},
                            {"type": "image_url", "image_url": {"url": picture, "detail": "high"}},
                        ],
                    },
                ],
                response_format={
                    "type": "json_schema",
                    "json_schema": {"name": "defect_findings", "strict": True, "schema": strict(FINDINGS)},
                },
            )
        except openai.BadRequestError as error:
            if error.code == "content_filter":
                raise PermanentFailure("ContentFiltered", "Azure OpenAI does not look at this picture") from error
            raise TransientFailure(_told(error)) from error
        except openai.APIStatusError as error:
            # 401, 403 and 404 too: what is wrong with our settings is no fault of the message, and may be mended.
            raise TransientFailure(_told(error)) from error
        except openai.APITimeoutError as error:
            raise TransientFailure("Azure OpenAI gave no answer in time") from error
        except openai.APIConnectionError as error:
            raise TransientFailure("Azure OpenAI cannot be reached") from error
        choice = answer.choices[0]
        if choice.finish_reason == "content_filter":
            raise PermanentFailure("ContentFiltered", "Azure OpenAI has withheld its answer")
        if choice.message.refusal:
            raise PermanentFailure("Refused", f"the model declines: {choice.message.refusal}")
        if choice.finish_reason != "stop":
            raise PermanentFailure("AnswerInvalid", f"the answer ends early ({choice.finish_reason})")
        try:
            return Inspection(json.loads(choice.message.content or ""), answer.model)
        except ValueError as error:
            raise PermanentFailure("AnswerInvalid", f"the answer is not JSON ({error})") from error


def _told(error: openai.APIStatusError) -> str:
    answered = f"Azure OpenAI answered {error.status_code} {error.code or ''}".rstrip()
    grant = GrantMissingError(OPENAI, "the Azure OpenAI resource")
    return f"{answered}: {grant}" if error.code == "PermissionDenied" else answered
