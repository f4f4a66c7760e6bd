"""Stand-ins for anything that speaks HTTP: routes, their answers, and the door at which they are asked."""

from __future__ import annotations
