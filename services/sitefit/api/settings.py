"""What the API reads from its environment."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr

from services.shared.settings import ServerSettings, ServiceSettings
from services.sitefit.contracts import FOLDER


class ApiSettings(ServerSettings, ServiceSettings):
    """Required: the three connection strings."""

    database_url: SecretStr
    azure_storage_connection_string: SecretStr

    sitefit_queue: str = "sitefit-queue"
    artifacts_container: str = "artifacts"
    contracts_dir: Path = FOLDER
    # The same inputs within so many seconds are the same job.
    result_cache_ttl: float = Field(300.0, ge=0)
    artifact_url_lifetime_seconds: int = Field(3600, gt=0)
    max_request_bytes: int = Field(1024 * 1024, gt=0)
