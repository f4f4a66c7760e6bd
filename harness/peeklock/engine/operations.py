"""Which operations of the contracts of stand-ins a case has met, and how they answered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from peeklock.scenario.model import Scenario
from peeklock.standins import Operations, StandIn

OUTSIDE = "outside"
"""In the place of a status: the request or its answer was not as the contract says, or nothing answered it."""
HUNG_UP = "hung up"
"""In the place of a status: the client had gone before its answer."""


@dataclass(frozen=True, slots=True)
class ContractUse:
    """What a case has seen of one contract."""

    known: Operations
    """Every operation of it, and the statuses that it may answer."""
    met: Mapping[str, Mapping[str, int]]
    """Of each operation that was asked, how often which status was answered, or `OUTSIDE`, or `HUNG_UP`."""


def contract_uses(scenario: Scenario, standins: Mapping[str, StandIn]) -> dict[str, ContractUse]:
    """Return it for the contract of each stand-in, by the contract's file as seen from the project's root."""
    uses: dict[str, ContractUse] = {}
    for name, spec in scenario.header.stack.http.items():
        if spec.contract is None or name not in standins:
            continue
        journal, title = standins[name].journal, _title(spec.contract, scenario.root)
        met = {operation: Counter(counts) for operation, counts in uses[title].met.items()} if title in uses else {}
        for entry in journal.entries():
            if (operation := entry.view.get("operation")) is not None:
                outside = entry.problem or entry.view.get("contract")
                status = OUTSIDE if outside else str(entry.view.get("status", HUNG_UP))
                met.setdefault(operation, Counter())[status] += 1
        uses[title] = ContractUse(journal.operations, met)
    return uses


def _title(file: Path, root: Path) -> str:
    return file.relative_to(root).as_posix() if file.is_relative_to(root) else file.name
