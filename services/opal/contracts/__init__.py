"""What OPAL's parts have agreed on: the messages on its queues, the model's endpoint, and what is billed."""

from __future__ import annotations

from pathlib import Path

from services.shared.contracts import Contract

_FOLDER = Path(__file__).parent

JOB_MESSAGE = Contract(_FOLDER / "job_message.json")
EXPORT_MESSAGE = Contract(_FOLDER / "export_message.json")
SCORE_REQUEST = Contract(_FOLDER / "score_request.json")
SCORE_ANSWER = Contract(_FOLDER / "score_answer.json")
USAGE = Contract(_FOLDER / "usage.json")

CONTENT_TYPES = ("image/jpeg", "image/png", "image/webp")
"""The kinds of picture that are taken."""

TENANT_PATTERN = "^[a-z][a-z0-9-]{1,31}$"
"""What a tenant's id looks like; it becomes the first part of the names of the tenant's blobs."""
