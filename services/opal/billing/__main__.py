"""``python -m services.opal.billing``: serves on ``HOST`` and ``PORT``."""

from __future__ import annotations

from services.shared.loading import loading

with loading():
    from services.opal.billing.app import app, settings
    from services.shared.server import serve

serve(app, host=settings.host, port=settings.port, grace=settings.shutdown_grace_seconds)
