"""``python -m services.defectiq.worker``: runs until SIGTERM or SIGINT, or as a job until the queue is empty."""

from __future__ import annotations

from services.shared.loading import loading

with loading():
    from services.defectiq.worker.program import main

main()
