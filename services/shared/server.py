"""Serves an application with uvicorn, logs and all as the services have them."""

from __future__ import annotations

import math

import uvicorn
from starlette.types import ASGIApp


def serve(app: ASGIApp, *, host: str, port: int, grace: float) -> None:
    """Serve until SIGTERM or SIGINT; open requests then have ``grace`` seconds."""
    uvicorn.run(
        app, host=host, port=port, log_config=None, access_log=False, timeout_graceful_shutdown=math.ceil(grace)
    )
