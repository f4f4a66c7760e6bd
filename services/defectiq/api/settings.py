"""What the API reads from its environment, under the names that its owners gave."""

from __future__ import annotations

from pydantic import Field, SecretStr, field_validator

from services.defectiq.settings import AzureSettings
from services.shared.settings import ServerSettings


class ApiSettings(AzureSettings, ServerSettings):
    """Required: ``API_KEY``, a storage account and a Service Bus namespace."""

    # One key, or several with commas between them: of several clients, or while one is being replaced.
    api_key: SecretStr
    # The origins whose pages may call, with commas between them; none unless told.
    cors_origins: str = ""
    # Requests a minute. Each is one append to a blob, of which it can take 50,000.
    rate_limit_per_ip: int = Field(120, ge=1, le=50_000)
    rate_limit_per_key: int = Field(600, ge=1, le=50_000)
    azure_storage_limits_container: str = "rate-limits"
    max_image_bytes: int = Field(10 * 1024 * 1024, gt=0)

    @property
    def keys(self) -> tuple[str, ...]:
        """Every key that opens the API."""
        return _listed(self.api_key.get_secret_value())

    @property
    def origins(self) -> tuple[str, ...]:
        """Every origin whose pages may call."""
        return _listed(self.cors_origins)

    @field_validator("api_key")
    @classmethod
    def _named(cls, value: SecretStr) -> SecretStr:
        if not _listed(value.get_secret_value()):
            raise ValueError("it names no key")
        return value

    @field_validator("cors_origins")
    @classmethod
    def _closed(cls, value: str) -> str:
        if "*" in value:
            raise ValueError("it must name each origin: a wildcard would let every page call")
        return value


def _listed(value: str) -> tuple[str, ...]:
    return tuple(part for each in value.split(",") if (part := each.strip()))
