"""``python -m services.opal.orchestrator``: runs until SIGTERM or SIGINT."""

from __future__ import annotations

from services.shared.loading import loading

with loading():
    from services.opal.orchestrator.program import main

main()
