"""Configuration files as text: JSON with comments."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from peeklock.servicebus.settings import TopologyError

_COMMENT = re.compile(r'"(?:\\.|[^"\\])*"|//[^\n]*|/\*.*?\*/', re.DOTALL)
_LAST_COMMA = re.compile(r'"(?:\\.|[^"\\])*"|,(?=\s*[\]}])')


def read_text(path: str) -> str:
    """Return the text of a configuration file. Raises `TopologyError`."""
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise TopologyError(f"{path}: cannot be read: {error.strerror}", "give the path of a Config.json") from None
    except UnicodeDecodeError:
        raise TopologyError(f"{path}: is not UTF-8", "save it as UTF-8") from None


def parse_json(text: str, origin: str, warn: Callable[[str], None]) -> Any:
    """Parse JSON with // and /* */ comments; commas behind the last item are passed over. Raises `TopologyError`."""
    plain = _COMMENT.sub(_blank, text)

    def passed_over(match: re.Match[str]) -> str:
        if match.group() != ",":
            return match.group()
        line = plain.count("\n", 0, match.start()) + 1
        column = match.start() - plain.rfind("\n", 0, match.start())
        warn(f"{origin}:{line}:{column}: a comma behind the last item is passed over; remove it")
        return " "

    try:
        return json.loads(_LAST_COMMA.sub(passed_over, plain))
    except json.JSONDecodeError as error:
        raise TopologyError(
            f"{origin}:{error.lineno}:{error.colno}: is not JSON: {error.msg}",
            "check commas and quotes on that line; // comments are fine",
        ) from None
    except RecursionError:
        raise TopologyError(
            f"{origin}: is nested too deep", "write { 'UserConfig': … } as the documentation shows"
        ) from None


def _blank(match: re.Match[str]) -> str:
    """Keep strings; replace comments by blanks, so that positions in error messages stay right."""
    text = match.group()
    return text if text.startswith('"') else re.sub(r"[^\n]", " ", text)
