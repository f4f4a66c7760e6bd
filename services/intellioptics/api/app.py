"""What a server imports: ``uvicorn services.intellioptics.api.app:app``."""

from __future__ import annotations

from services.intellioptics.api.application import SERVICE, build_app
from services.intellioptics.api.settings import ApiSettings
from services.shared.logs import configure_logs
from services.shared.settings import settings_or_exit
from services.shared.telemetry import start_telemetry

settings = settings_or_exit(ApiSettings, SERVICE)
configure_logs(SERVICE, settings.log_level, secrets=(settings.api_token.get_secret_value(),))
app = build_app(settings)
start_telemetry(SERVICE, app)
