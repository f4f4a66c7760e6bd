"""What a server imports: ``uvicorn services.sitefit.appserver.app:app``."""

from __future__ import annotations

from services.shared.logs import configure_logs
from services.shared.settings import settings_or_exit
from services.shared.telemetry import start_telemetry
from services.sitefit.appserver.application import SERVICE, build_app
from services.sitefit.appserver.settings import AppServerSettings

settings = settings_or_exit(AppServerSettings, SERVICE)
configure_logs(
    SERVICE,
    settings.log_level,
    secrets=() if settings.compute_api_key is None else (settings.compute_api_key.get_secret_value(),),
)
app = build_app(settings)
start_telemetry(SERVICE, app)
