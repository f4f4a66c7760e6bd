"""``python -m services.sitefit.worker``: runs until SIGTERM or SIGINT."""

from __future__ import annotations

from services.shared.loading import loading

with loading():
    from services.sitefit.worker.program import main

main()
