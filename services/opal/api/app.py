"""What a server imports: ``uvicorn services.opal.api.app:app``."""

from __future__ import annotations

from services.opal.api.application import SERVICE, build_app
from services.opal.api.settings import ApiSettings
from services.shared.logs import configure_logs
from services.shared.settings import settings_or_exit
from services.shared.telemetry import start_telemetry

settings = settings_or_exit(ApiSettings, SERVICE)
configure_logs(SERVICE, settings.log_level, secrets=tuple(settings.tenants))
app = build_app(settings)
start_telemetry(SERVICE, app)
