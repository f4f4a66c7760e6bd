"""The program that removes what is left of a stack at its engine when the stack ends, however it ends. Standard library only."""

from __future__ import annotations

import contextlib
import sys

from peeklock.stack.containers.engine import Engine, EngineError


def main() -> None:
    """Its arguments: the engine's address, and the label of what to remove. When the engine is gone, the next stack removes it."""
    address, label = sys.argv[1:]
    with contextlib.suppress(EngineError):
        Engine(address).remove(label)
