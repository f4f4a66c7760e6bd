"""What a step is told of a blob's content."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def content_facts(body: bytes) -> dict[str, Any]:
    """Return `{sha256, text, json}`, the last two as far as the content is that."""
    facts: dict[str, Any] = {"sha256": hashlib.sha256(body).hexdigest()}
    try:
        text = body.decode("utf-8")
        return facts | {"text": text, "json": json.loads(text)}
    except UnicodeDecodeError:
        return facts
    except (ValueError, RecursionError):
        return facts | {"text": text}
