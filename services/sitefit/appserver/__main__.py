"""``python -m services.sitefit.appserver``: serves on ``HOST`` and ``PORT``."""

from __future__ import annotations

from services.shared.loading import loading

with loading():
    from services.shared.server import serve
    from services.sitefit.appserver.app import app, settings

serve(app, host=settings.host, port=settings.port, grace=settings.shutdown_grace_seconds)
