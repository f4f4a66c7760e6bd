"""What a server imports: ``uvicorn services.defectiq.api.app:app``."""

from __future__ import annotations

from services.defectiq.api.application import SERVICE, build_app
from services.defectiq.api.settings import ApiSettings
from services.shared.logs import configure_logs
from services.shared.settings import settings_or_exit
from services.shared.telemetry import start_telemetry

settings = settings_or_exit(ApiSettings, SERVICE)
configure_logs(SERVICE, settings.log_level, secrets=settings.keys)
app = build_app(settings)
start_telemetry(SERVICE, app)
