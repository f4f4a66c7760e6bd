"""What the worker reads from its environment, under the names that its owners gave."""

from __future__ import annotations

from pathlib import Path

from pydantic import AnyHttpUrl, Field, SecretStr

from services.shared.settings import ConsumerSettings, ServiceSettings
from services.sitefit.contracts import FOLDER


class WorkerSettings(ConsumerSettings, ServiceSettings):
    """Required: the three connection strings and ``APP_SERVER_URL``."""

    database_url: SecretStr
    azure_storage_connection_string: SecretStr
    app_server_url: AnyHttpUrl

    sitefit_queue: str = "sitefit-queue"
    artifacts_container: str = "artifacts"
    contracts_dir: Path = FOLDER
    poll_interval_sec: float = Field(5.0, gt=0)
    lock_renew_sec: float = Field(45.0, gt=0)
    job_timeout_sec: float = Field(
        240.0, gt=0, description="How long one attempt may take, waiting for the AppServer included."
    )
    max_attempts: int = Field(5, ge=1, description="After so many the job has failed: the queue's own count, or less.")
    worker_concurrency: int = Field(1, ge=1, le=64)
