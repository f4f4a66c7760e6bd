"""Configuration files as text: JSON with comments."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from peeklock.servicebus.settings import TopologyError

_COMMENT = re.compile(r'"(?:\\.|[^"\\])*"|//[^\n]*|/\*.*?\*/', re.DOTALL)


def read_text(path: str) -> str:
    """Return the text of a configuration file. Raises `TopologyError`."""
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise TopologyError(f"{path}: cannot be read: {error.strerror}", "give the path of a Config.json") from None
    except UnicodeDecodeError:
        raise TopologyError(f"{path}: is not UTF-8", "save it as UTF-8") from None


def parse_json(text: str, origin: str) -> Any:
    """Parse JSON with // and /* */ comments. Raises `TopologyError`."""
    try:
        return json.loads(_COMMENT.sub(_blank, text))
    except json.JSONDecodeError as error:
        raise TopologyError(
            f"{origin}:{error.lineno}:{error.colno}: is not JSON: {error.msg}",
            "check commas and quotes on that line; // comments are fine",
        ) from None


def _blank(match: re.Match[str]) -> str:
    """Keep strings; replace comments by blanks, so that positions in error messages stay right."""
    text = match.group()
    return text if text.startswith('"') else re.sub(r"[^\n]", " ", text)
