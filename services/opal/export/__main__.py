"""``python -m services.opal.export``: runs until SIGTERM or SIGINT."""

from __future__ import annotations

from services.shared.loading import loading

with loading():
    from services.opal.export.program import main

main()
