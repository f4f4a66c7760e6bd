"""The client of the Azure ML endpoint: what a retry can mend, and what it cannot."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any

import httpx

from services.opal.contracts import SCORE_ANSWER, SCORE_REQUEST
from services.shared.contracts import ContractViolationError
from services.shared.correlation import HEADER, current_correlation_id
from services.shared.image import NoImageError, image_facts
from services.shared.outcomes import PermanentFailure, TransientFailure

_MODEL_STATUS = "ms-azureml-model-error-statuscode"
_MODEL_REASON = "ms-azureml-model-error-reason"
_MODEL_FAILED = 424
# What a model says of the request, rather than of itself.
_REFUSALS = frozenset({"400", "404", "413", "415", "422"})


@dataclass(frozen=True, slots=True)
class ScoringEndpoint:
    """Asks ``POST /score``. ``patience`` (seconds) is for all of one attempt."""

    client: httpx.AsyncClient
    patience: float
    max_image_pixels: int

    async def score(self, question: dict[str, Any]) -> bytes:
        """Return the picture that the model made.

        Raises ``TransientFailure`` for silence, refused connections, and every status by which the endpoint speaks of
        itself (401 and 404 too: what is wrong with our settings may be mended); ``PermanentFailure`` when the model
        refuses this picture, or answers outside the contract.
        """
        SCORE_REQUEST.check(question)
        correlation_id = current_correlation_id()
        try:
            async with asyncio.timeout(self.patience):
                answer = await self.client.post(
                    "/score", json=question, headers={HEADER: correlation_id} if correlation_id else None
                )
        except (TimeoutError, httpx.TimeoutException):
            raise TransientFailure(f"the AML endpoint gave no answer within {self.patience:g} s") from None
        except httpx.TransportError as error:
            raise TransientFailure(f"the AML endpoint cannot be reached ({type(error).__name__})") from error
        if answer.status_code == _MODEL_FAILED:
            status, reason = (
                answer.headers.get(_MODEL_STATUS, "?"),
                answer.headers.get(_MODEL_REASON, "no reason given"),
            )
            problem = f"the model answered {status}: {reason[:500]}"
            if status in _REFUSALS:
                raise PermanentFailure("ModelRefused", problem)
            raise TransientFailure(problem)
        if answer.status_code != 200:
            raise TransientFailure(f"the AML endpoint answered {answer.status_code}")
        return await asyncio.to_thread(self._picture, answer.content)

    def _picture(self, body: bytes) -> bytes:
        try:
            image = base64.b64decode(SCORE_ANSWER.check(json.loads(body))["image_bytes_b64"], validate=True)
            image_facts(image, max_pixels=self.max_image_pixels)
        except ContractViolationError as error:
            raise PermanentFailure("AnswerInvalid", str(error)) from error
        except NoImageError as error:
            raise PermanentFailure("AnswerInvalid", f"image_bytes_b64: is no picture: {error}") from error
        except binascii.Error as error:
            raise PermanentFailure("AnswerInvalid", "image_bytes_b64: must be base64") from error
        except (ValueError, RecursionError) as error:
            raise PermanentFailure("AnswerInvalid", "the answer is not JSON") from error
        return image
