"""``python -m services.sitefit.compute``: serves on ``HOST`` and ``PORT``."""

from __future__ import annotations

from services.shared.loading import loading

with loading():
    from services.sitefit.compute.program import main

main()
