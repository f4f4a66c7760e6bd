"""What API and worker both read from their environment: where Azure is, and how they show who they are."""

from __future__ import annotations

from typing import Self

from pydantic import Field, SecretStr, model_validator

from services.shared.settings import ProcessSettings

_ACCOUNT = "^[a-z0-9]{3,24}$"
_NAMESPACE = "^[A-Za-z][A-Za-z0-9-]{4,48}[A-Za-z0-9]$"


class AzureSettings(ProcessSettings):
    """Storage and Service Bus, each by name, as the service's identity, or by connection string: the name wins."""

    azure_storage_account: str | None = Field(None, pattern=_ACCOUNT)
    azure_storage_connection_string: SecretStr | None = None
    azure_storage_raw_container: str = "raw-images"
    azure_storage_processed_container: str = "processed-images"

    azure_servicebus_namespace: str | None = Field(None, pattern=_NAMESPACE)
    azure_servicebus_connection_string: SecretStr | None = None
    azure_servicebus_queue: str = "defect-jobs"

    max_image_pixels: int = Field(25_000_000, gt=0)

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if self.azure_storage_account is None and self.azure_storage_connection_string is None:
            raise ValueError("AZURE_STORAGE_ACCOUNT or AZURE_STORAGE_CONNECTION_STRING is required")
        if self.azure_servicebus_namespace is None and self.azure_servicebus_connection_string is None:
            raise ValueError("AZURE_SERVICEBUS_NAMESPACE or AZURE_SERVICEBUS_CONNECTION_STRING is required")
        return self
