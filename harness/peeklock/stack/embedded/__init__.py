"""The embedded backend: Postgres, Azurite and the Service Bus emulator as plain processes, no Docker."""

from __future__ import annotations

from peeklock.stack.embedded.stack import EmbeddedStack
from peeklock.stack.embedded.tools import prepare

__all__ = ["EmbeddedStack", "prepare"]
