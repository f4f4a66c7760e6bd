"""Requests to stand-ins that nothing in the scenario answers: each fails its case."""

from __future__ import annotations

from peeklock.stack.backend import Environment


def unanswered(environment: Environment) -> list[str]:
    """Return a text for each request of the case that was not answered as the scenario should, each once."""
    standins = environment.standins.values()
    return list(dict.fromkeys(each.problem for s in standins for each in s.journal.entries() if each.problem))
