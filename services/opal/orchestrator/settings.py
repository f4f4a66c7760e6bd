"""What the orchestrator reads from its environment."""

from __future__ import annotations

from pydantic import AnyHttpUrl, Field, SecretStr

from services.opal.settings import OpalWorkerSettings


class OrchestratorSettings(OpalWorkerSettings):
    """Required: the three connection strings, ``AML_ENDPOINT_URL`` and ``AML_KEY``."""

    # The endpoint without its /score.
    aml_endpoint_url: AnyHttpUrl
    aml_key: SecretStr
    # Which deployment of the endpoint; without it the endpoint's traffic rules decide.
    aml_deployment: str | None = None
    aml_timeout_seconds: float = Field(60.0, gt=0)
    input_url_lifetime_seconds: int = Field(600, gt=0)
    upload_attempts: int = Field(3, ge=1)
    upload_pause_seconds: float = Field(
        1.0, ge=0, description="Before the second attempt; doubled before each further."
    )
    upload_pause_max_seconds: float = Field(5.0, ge=0)
