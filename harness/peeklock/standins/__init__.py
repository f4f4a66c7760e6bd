"""Stand-ins for what a system calls over HTTP and does not own: they answer by the rules of a scenario, and keep a journal."""

from __future__ import annotations

from peeklock.standins.functions import Functions
from peeklock.standins.journal import Entry, Journal, Operations
from peeklock.standins.stand_in import Caller, StandIn, Surroundings

__all__ = ["Caller", "Entry", "Functions", "Journal", "Operations", "StandIn", "Surroundings"]
