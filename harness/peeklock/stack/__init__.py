"""What a case stands on: dependencies, services, and the supervisor that none of them outlives."""

from __future__ import annotations

from peeklock.stack.backend import (
    Clock,
    Dependencies,
    Endpoints,
    Environment,
    EnvironmentSpec,
    Exit,
    FaultEvent,
    LogLine,
    Ports,
    Services,
    Stack,
)
from peeklock.stack.errors import StackError
from peeklock.stack.open import open_stack
from peeklock.stack.redact import redact

__all__ = [
    "Clock", "Dependencies", "Endpoints", "Environment", "EnvironmentSpec", "Exit", "FaultEvent", "LogLine", "Ports", "Services", "Stack", "StackError", "open_stack", "redact",
]  # fmt: skip
