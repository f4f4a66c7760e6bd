"""``python -m services.intellioptics.api``: serves on ``HOST`` and ``PORT``."""

from __future__ import annotations

import math

import uvicorn

from services.intellioptics.api.app import app, settings

uvicorn.run(
    app,
    host=settings.host,
    port=settings.port,
    log_config=None,
    access_log=False,
    timeout_graceful_shutdown=math.ceil(settings.shutdown_grace_seconds),
)
