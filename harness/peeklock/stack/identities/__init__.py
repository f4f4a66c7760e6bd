"""Managed identities of an environment: who services are, and which roles that gives them."""

from __future__ import annotations

from peeklock.stack.identities.assignments import Assigned, Assignments
from peeklock.stack.identities.identity_server import Identities

__all__ = ["Assigned", "Assignments", "Identities"]
