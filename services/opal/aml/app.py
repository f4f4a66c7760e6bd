"""What a server imports: ``uvicorn services.opal.aml.app:app``."""

from __future__ import annotations

from services.opal.aml.application import SERVICE, build_app
from services.opal.aml.settings import EndpointSettings
from services.shared.logs import configure_logs
from services.shared.settings import settings_or_exit
from services.shared.telemetry import start_telemetry

settings = settings_or_exit(EndpointSettings, SERVICE)
configure_logs(SERVICE, settings.log_level, secrets=(settings.aml_key.get_secret_value(),))
app = build_app(settings)
start_telemetry(SERVICE, app)
