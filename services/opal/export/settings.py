"""What the export worker reads from its environment."""

from __future__ import annotations

from pydantic import AnyHttpUrl, Field, SecretStr

from services.opal.settings import OpalWorkerSettings


class ExportSettings(OpalWorkerSettings):
    """Required: the three connection strings, ``BILLING_URL`` and ``BILLING_TOKEN``."""

    billing_url: AnyHttpUrl
    billing_token: SecretStr
    billing_timeout_seconds: float = Field(5.0, gt=0)
    exports_container: str = "exports"
