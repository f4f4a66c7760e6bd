"""``python -m services.intellioptics.worker``: runs until SIGTERM or SIGINT."""

from __future__ import annotations

from services.shared.loading import loading

with loading():
    from services.intellioptics.worker.program import main

main()
