"""The solver of ``USE_COMPUTE=false``: the same answer for the same seed, everywhere and always."""

from __future__ import annotations

from typing import Any


class MockSolver:
    """Rotation is ``seed * 15`` modulo 360, translation ``seed`` modulo 10, score 85 and half of ``seed`` modulo 20."""

    async def solve(self, definition: str, version: str, inputs: dict[str, Any]) -> dict[str, Any]:
        """Return one placement."""
        seed = int(inputs["seed"])
        shift = seed % 10
        return {
            "results": [
                {
                    "id": f"result-{seed}",
                    "score": 85 + (seed % 20) / 2,
                    "transform": {
                        "rotation": {"axis": "z", "value": seed * 15 % 360},
                        "translation": {"x": shift, "y": shift, "z": 0},
                    },
                }
            ],
            "metadata": {
                "definition": definition,
                "version": version,
                "engine": {"mode": "deterministic", "name": "mock"},
            },
        }

    async def ready(self) -> None:
        """It always is."""
