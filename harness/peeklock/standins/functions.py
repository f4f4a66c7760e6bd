"""Functions of the user's, as a stand-in calls them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol


class Functions(Protocol):
    """Calls Python functions in a process of their own."""

    def call(self, file: Path, function: str, inputs: dict[str, Any], seconds: float) -> Any:
        """Return what `function(**inputs)` of a file returns, as JSON holds it. Raises `PeeklockError`."""

    def close(self) -> None:
        """End the process."""
