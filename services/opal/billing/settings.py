"""What the billing service reads from its environment."""

from __future__ import annotations

from pydantic import SecretStr

from services.shared.settings import ServerSettings


class BillingSettings(ServerSettings):
    """Required: ``DATABASE_URL`` and ``BILLING_TOKEN``, which the export worker bears."""

    database_url: SecretStr
    billing_token: SecretStr
