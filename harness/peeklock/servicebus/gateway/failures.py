"""What was refused, counted; and what nobody foresaw, in the log with its traceback."""

from __future__ import annotations

import sys
import traceback
from collections import Counter
from typing import Any

from .ports import Log

INTERNAL_TEXT = "The service was unable to process the request; please retry the operation. Its log tells why."
"""What a client is told of an error of ours."""


def errors_only(event: str, **fields: Any) -> None:
    """Log to stderr what must not be, and nothing else: for an emulator whose owner wants no log."""
    if fields.get("level") == "error":
        detail = fields.pop("traceback", "")
        print(event, fields, detail, sep="\n", file=sys.stderr)


class Failures:
    """Those of one namespace."""

    def __init__(self, log: Log) -> None:
        self.refused: Counter[tuple[str, str]] = Counter()
        """How often what was refused, by entity ("" where there is none) and condition."""
        self._log = log

    def count(self, condition: str, entity: str = "") -> None:
        """Count a refusal."""
        self.refused[entity, condition] += 1

    def forget(self, entity: str) -> None:
        """Forget what was counted of an entity that is no more."""
        for key in [key for key in self.refused if key[0] == entity]:
            del self.refused[key]

    def unforeseen(self, error: BaseException, what: str) -> None:
        """Log an error of ours, with its traceback; `what` was being done."""
        self.count("amqp:internal-error")
        lines = "".join(traceback.format_exception(error))
        self._log("unforeseen.error", level="error", doing=what, error=type(error).__name__, traceback=lines)
