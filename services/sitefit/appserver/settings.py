"""What the AppServer reads from its environment."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import AnyHttpUrl, Field, SecretStr, model_validator

from services.shared.settings import ServerSettings
from services.sitefit.contracts import FOLDER


class AppServerSettings(ServerSettings):
    """Nothing is required, unless ``USE_COMPUTE`` is true: then ``COMPUTE_URL`` is."""

    contracts_dir: Path = FOLDER
    use_compute: bool = False
    compute_url: AnyHttpUrl | None = None
    compute_api_key: SecretStr | None = None
    compute_timeout_sec: float = Field(200.0, gt=0)
    max_request_bytes: int = Field(1024 * 1024, gt=0)

    @model_validator(mode="after")
    def _compute_has_a_place(self) -> Self:
        if self.use_compute and self.compute_url is None:
            raise ValueError("USE_COMPUTE is true and COMPUTE_URL is not set")
        return self
