"""Azure OpenAI's refusals, in its words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from peeklock.servicebus.http import HttpReply

CATEGORIES = ("hate", "self_harm", "sexual", "violence")


@dataclass(frozen=True, slots=True)
class OpenAIError:
    """An error answer."""

    status: int
    error: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def code(self) -> str:
        """The `error.code`."""
        return str(self.error["code"])

    def reply(self) -> HttpReply:
        """Return it as it goes over the wire."""
        return HttpReply(self.status, json.dumps({"error": self.error}).encode(), headers=tuple(self.headers.items()))


def access_denied() -> OpenAIError:
    """No key, or a wrong one."""
    return OpenAIError(
        401,
        {
            "code": "401",
            "message": "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a "
            "valid key for an active subscription and use a correct regional API endpoint for your resource.",
        },
    )


def bad_token() -> OpenAIError:
    """A bearer token that is not good, whatever its role."""
    text = (
        "Unauthorized. Access token is missing, invalid, audience is incorrect (https://cognitiveservices.azure.com), "
        "or have expired."
    )
    return OpenAIError(401, {"code": "401", "message": text})


def permission_denied(object_id: str, action: str, operation: str) -> OpenAIError:
    """A good token whose bearer has no role for it."""
    text = (
        f"The principal `{object_id}` lacks the required data action `Microsoft.CognitiveServices/accounts/OpenAI/"
        f"deployments/{action}/action` to perform `POST /openai/deployments/{{deployment-id}}/{operation}` operation."
    )
    return OpenAIError(401, {"code": "PermissionDenied", "message": text})


def resource_not_found() -> OpenAIError:
    """A path that is none, or one without its api-version."""
    return OpenAIError(404, {"code": "404", "message": "Resource not found"})


def deployment_not_found() -> OpenAIError:
    """A deployment that the scenario does not declare."""
    return OpenAIError(
        404,
        {
            "code": "DeploymentNotFound",
            "message": "The API deployment for this resource does not exist. If you created the deployment within the "
            "last 5 minutes, please wait a moment and try again.",
        },
    )


def operation_not_supported(operation: str, model: str) -> OpenAIError:
    """A completion asked of an embedding model, or the other way round."""
    return OpenAIError(
        400,
        {
            "code": "OperationNotSupported",
            "message": f"The {operation} operation does not work with the specified model, {model}. Please choose "
            "different model and try again.",
        },
    )


def bad_request(message: str, param: str | None = None, code: str | None = None) -> OpenAIError:
    """A request that makes no sense."""
    return OpenAIError(400, {"message": message, "type": "invalid_request_error", "param": param, "code": code})


def no_answer(text: str) -> OpenAIError:
    """A request that fails its case. Clients do not repeat a 400."""
    return bad_request(f"No answer: {text}", code="no_answer")


def too_many_requests(seconds: int, headers: Mapping[str, str]) -> OpenAIError:
    """The deployment's quota is used up."""
    return OpenAIError(
        429,
        {
            "code": "429",
            "message": "Requests to the deployment have exceeded the call rate limit of your current OpenAI S0 pricing "
            f"tier. Please retry after {seconds} seconds.",
        },
        headers,
    )


def internal_error(status: int) -> OpenAIError:
    """The service fails."""
    code = "InternalServerError" if status == 500 else str(status)
    return OpenAIError(status, {"code": code, "message": "The server had an error while processing your request."})


def prompt_filtered() -> OpenAIError:
    """The content filter refuses the prompt."""
    result = {name: {"filtered": name == "violence", "severity": "high" if name == "violence" else "safe"} for name in CATEGORIES}  # fmt: skip
    return OpenAIError(
        400,
        {
            "message": "The response was filtered due to the prompt triggering Azure OpenAI's content management policy. "
            "Please modify your prompt and retry. To learn more about our content filtering policies please read our "
            "documentation: https://go.microsoft.com/fwlink/?linkid=2198766",
            "type": None,
            "param": "prompt",
            "code": "content_filter",
            "status": 400,
            "innererror": {"code": "ResponsibleAIPolicyViolation", "content_filter_result": result},
        },
    )
