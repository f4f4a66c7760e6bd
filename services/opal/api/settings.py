"""What the API reads from its environment."""

from __future__ import annotations

import re

from pydantic import Field, SecretStr, field_validator

from services.opal.contracts import TENANT_PATTERN
from services.opal.settings import OpalSettings
from services.shared.settings import ServerSettings


class ApiSettings(ServerSettings, OpalSettings):
    """Required: the three connection strings and ``TENANT_KEYS``."""

    # "acme=KEY,globex=KEY": each tenant's key, or several while one is being replaced.
    tenant_keys: SecretStr
    upload_url_lifetime_seconds: int = Field(900, gt=0)
    max_request_bytes: int = Field(256 * 1024, gt=0)

    @property
    def tenants(self) -> dict[str, str]:
        """Whose each key is."""
        return _tenants(self.tenant_keys.get_secret_value())

    @field_validator("tenant_keys")
    @classmethod
    def _readable(cls, value: SecretStr) -> SecretStr:
        pairs = [each.partition("=")[::2] for each in value.get_secret_value().split(",") if each.strip()]
        if not pairs or not all(re.match(TENANT_PATTERN, tenant.strip()) and key.strip() for tenant, key in pairs):
            raise ValueError("it must be TENANT=KEY, with commas between them")
        if len({key.strip() for _tenant, key in pairs}) < len(pairs):
            raise ValueError("one key is given twice: it must be one tenant's alone")
        return value


def _tenants(value: str) -> dict[str, str]:
    pairs = (each.partition("=")[::2] for each in value.split(",") if each.strip())
    return {key.strip(): tenant.strip() for tenant, key in pairs}
