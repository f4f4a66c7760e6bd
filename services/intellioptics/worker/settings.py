"""What the worker reads from its environment."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from pydantic import AnyHttpUrl, Field, SecretStr, field_validator

from services.shared.settings import ConsumerSettings, ServiceSettings


class WorkerSettings(ConsumerSettings, ServiceSettings):
    """Required: the Service Bus connection string, ``API_URL``, ``API_TOKEN`` and ``MODEL_PATH``."""

    api_url: AnyHttpUrl
    api_token: SecretStr
    model_path: Path

    image_queries_queue: str = "image-queries"
    results_queue: str = "inference-results"
    # What the queues are declared with: after so many deliveries a query is given up, and its asker told; and for so long
    # the results queue knows an id again.
    image_queries_max_deliveries: int = Field(3, ge=1)
    results_remembered_seconds: float = Field(600.0, ge=0)
    worker_concurrency: int = Field(4, ge=1, le=64)
    # When API and clients moved to `det_*`; bare UUIDs are understood for 14 days more. Unset: it has not happened yet.
    cutover_at: datetime | None = None
    # A detection below it is no detection: what tells YES from NO, before the detector's own threshold is looked at.
    presence_cutoff: float = Field(0.5, gt=0, lt=1)
    max_image_bytes: int = Field(20 * 1024 * 1024, gt=0)
    max_image_pixels: int = Field(25_000_000, gt=0)
    download_timeout_seconds: float = Field(10.0, gt=0)
    api_timeout_seconds: float = Field(5.0, gt=0)

    @field_validator("cutover_at")
    @classmethod
    def _aware(cls, value: datetime | None) -> datetime | None:
        return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value

    @field_validator("model_path")
    @classmethod
    def _there(cls, value: Path) -> Path:
        if not value.is_file():
            raise ValueError("there is no such file")
        return value
