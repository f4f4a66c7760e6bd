"""What the worker reads from its environment, under the names that its owners gave."""

from __future__ import annotations

from typing import Literal

from pydantic import AnyHttpUrl, Field, SecretStr

from services.defectiq.settings import AzureSettings
from services.shared.settings import ConsumerSettings


class WorkerSettings(ConsumerSettings, AzureSettings):
    """Required: ``AZURE_AI_PROJECT_ENDPOINT``, a storage account and a Service Bus namespace."""

    azure_ai_project_endpoint: AnyHttpUrl
    # Local only: without it the worker shows its identity, with a token for the scope.
    azure_ai_api_key: SecretStr | None = None
    azure_openai_api_version: str = "2025-04-01-preview"
    azure_openai_token_scope: str = "https://cognitiveservices.azure.com/.default"  # noqa: S105 - an address
    # What looks at pictures; where it is not said, the reasoning deployment does, which sees too.
    azure_vision_deployment: str | None = None
    azure_reasoning_deployment: str = "gpt-5-2"
    # Of the reports that are written downstream; said here because the three belong together.
    azure_reports_deployment: str = "gpt-5-2-chat"

    worker_max_messages: int = Field(10, ge=1, le=64, description="How many are in hand at once.")
    worker_max_delivery_attempts: int = Field(5, ge=1)
    worker_mode: Literal["service", "job"] = "service"
    worker_idle_seconds: float = Field(5.0, gt=0, description="As a job, ends when the queue was empty for so long.")
    openai_timeout_seconds: float = Field(60.0, gt=0)
    openai_max_retries: int = Field(2, ge=0, le=10)

    @property
    def deployment(self) -> str:
        """The deployment that looks at pictures."""
        return self.azure_vision_deployment or self.azure_reasoning_deployment
