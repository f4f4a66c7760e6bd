"""What solves: from inputs that keep the contract to outputs that must."""

from __future__ import annotations

from typing import Any, Protocol


class SolverUnavailableError(Exception):
    """The solver does not answer now; it may later."""


class SolverFailedError(Exception):
    """The solver has answered that it cannot solve this, or with something that is no answer."""


class Solver(Protocol):
    """One way to solve."""

    async def solve(self, definition: str, version: str, inputs: dict[str, Any]) -> dict[str, Any]:
        """Return the outputs. Raises :class:`SolverUnavailableError` or :class:`SolverFailedError`."""

    async def ready(self) -> None:
        """Raise unless it can solve now."""
