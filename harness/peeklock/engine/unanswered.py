"""What of the calls to stand-ins fails a case: requests that nothing in the scenario answers, and broken contracts."""

from __future__ import annotations

from peeklock.stack.backend import Environment


def unanswered(environment: Environment) -> list[str]:
    """Return a text for each request of the case that was not answered as the scenario should, each once."""
    standins = environment.standins.values()
    return list(dict.fromkeys(each.problem for s in standins for each in s.journal.entries() if each.problem))


def outside_contracts(environment: Environment) -> list[str]:
    """Return a text for each request to a stand-in, and each answer of one, that its contract does not allow, each once."""
    return list(
        dict.fromkeys(
            f"{name}: {entry.view['method']} {entry.view['path']}: {wrong}"
            for name, standin in environment.standins.items()
            for entry in standin.journal.entries()
            for wrong in entry.view.get("contract", ())
        )
    )
