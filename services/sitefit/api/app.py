"""What a server imports: ``uvicorn services.sitefit.api.app:app``."""

from __future__ import annotations

from services.shared.logs import configure_logs
from services.shared.settings import settings_or_exit
from services.shared.telemetry import start_telemetry
from services.sitefit.api.application import SERVICE, build_app
from services.sitefit.api.settings import ApiSettings

settings = settings_or_exit(ApiSettings, SERVICE)
configure_logs(SERVICE, settings.log_level)
app = build_app(settings)
start_telemetry(SERVICE, app)
