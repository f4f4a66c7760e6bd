"""What the API reads from its environment."""

from __future__ import annotations

from pydantic import Field, SecretStr

from services.shared.settings import ServerSettings, ServiceSettings


class ApiSettings(ServerSettings, ServiceSettings):
    """Required: the three connection strings and ``API_TOKEN``."""

    database_url: SecretStr
    azure_storage_connection_string: SecretStr
    api_token: SecretStr

    blob_container: str = "images"
    image_queries_queue: str = "image-queries"
    results_queue: str = "inference-results"
    # 0: this replica leaves the results to others, and hears of them through Postgres.
    results_concurrency: int = Field(2, ge=0, le=32)
    max_image_bytes: int = Field(10 * 1024 * 1024, gt=0)
    sas_lifetime_seconds: int = Field(3600, gt=0)
    wait_timeout_seconds: float = Field(30.0, gt=0, le=300, description="How long wait=true waits unless told.")
