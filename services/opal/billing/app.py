"""What a server imports: ``uvicorn services.opal.billing.app:app``."""

from __future__ import annotations

from services.opal.billing.application import SERVICE, build_app
from services.opal.billing.settings import BillingSettings
from services.shared.logs import configure_logs
from services.shared.settings import settings_or_exit
from services.shared.telemetry import start_telemetry

settings = settings_or_exit(BillingSettings, SERVICE)
configure_logs(SERVICE, settings.log_level, secrets=(settings.billing_token.get_secret_value(),))
app = build_app(settings)
start_telemetry(SERVICE, app)
