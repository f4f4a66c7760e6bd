"""Peeklock: a local-first end-to-end harness for systems on Azure Service Bus.

Its parts are imported by their names: `peeklock.servicebus` is the emulator and its client, `peeklock.pytest_plugin` the fixtures.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from peeklock.errors import PeeklockError

__version__: str
"""The version of the installed distribution."""

__all__ = ["PeeklockError", "__version__"]

if not TYPE_CHECKING:

    def __getattr__(name: str) -> str:
        if name != "__version__":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib.metadata import version  # 10 ms, in programs that start in 15

        return version("peeklock")
