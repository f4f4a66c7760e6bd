"""What several of OPAL's parts read from their environment."""

from __future__ import annotations

from pydantic import Field, SecretStr

from services.shared.settings import ConsumerSettings, ServiceSettings


class OpalSettings(ServiceSettings):
    """Required: the three connection strings. The storage's has the account's key, which signs what others are shown."""

    database_url: SecretStr
    azure_storage_connection_string: SecretStr

    jobs_queue: str = "jobs"
    uploads_container: str = "uploads"
    outputs_container: str = "outputs"


class OpalWorkerSettings(ConsumerSettings, OpalSettings):
    """What both workers read besides."""

    exports_queue: str = "exports"
    worker_concurrency: int = Field(4, ge=1, le=64)
    max_attempts: int = Field(5, ge=1, description="After so many an item has failed: the queue's own count, or less.")
    max_image_pixels: int = Field(25_000_000, gt=0)
