"""What a case stands on: dependencies, services, and the supervisor that none of them outlives."""

from __future__ import annotations

from harness.stack.backend import (
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
from harness.stack.errors import StackError
from harness.stack.open import open_stack
from harness.stack.redact import redact

__all__ = [
    "Clock", "Dependencies", "Endpoints", "Environment", "EnvironmentSpec", "Exit", "FaultEvent", "LogLine", "Ports", "Services", "Stack", "StackError", "open_stack", "redact",
]  # fmt: skip
