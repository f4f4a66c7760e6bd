"""Are the contracts of a scenario's stand-ins contracts, and are the routes inside them?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from peeklock.errors import PeeklockError
from peeklock.scenario.document import DataPath
from peeklock.scenario.errors import Problem
from peeklock.scenario.http_standins import HttpAnswer, HttpStandIn, Route, path_pattern
from peeklock.scenario.model import Scenario
from peeklock.standins.http.answer import fixed
from peeklock.standins.http.stand_in import open_contract

if TYPE_CHECKING:
    from peeklock.standins.http.contract import Contract


def contract_problems(scenario: Scenario, opened: dict[Path, Contract]) -> list[Problem]:
    """Return a problem for each contract that is none, and for each route and each fixed answer outside of its contract.

    `opened`: contracts that other scenarios have opened; those of this one are added.
    """
    document, found = scenario.document, []
    for name, standin in scenario.header.stack.http.items():
        if standin.contract is None:
            continue
        here: DataPath = ("stack", "http", name)
        at = (*here, "contract")
        try:
            contract = opened.get(standin.contract) or open_contract(standin.contract)
        except PeeklockError as error:
            found.append(document.problem(at, error.problem, expected=error.expected, fix=error.fix))
            continue
        opened[standin.contract] = contract
        for method, path, wrong in contract.examples():
            if wrong and not any(_answers(route, method, path) for route in standin.routes):
                text = f"the example of {method} {path} is outside of {contract.file.name} itself: {wrong[0]}"
                found.append(document.problem(at, text, fix="correct the example, or give the operation a route"))
        for index, route in enumerate(standin.routes):
            for inside, message, fix in _outside(standin, route, contract):
                found.append(document.problem((*here, "routes", index, *inside), message, fix=fix))
    return found


def _answers(route: Route, method: str, path: str) -> bool:
    return route.method in ("", method) and path_pattern(route.path).regex.fullmatch(path) is not None


def _outside(standin: HttpStandIn, route: Route, contract: Contract) -> Iterator[tuple[DataPath, str, str]]:
    if not route.method:
        return
    path = path_pattern(route.path).sample()
    if contract.operation(route.method, path) is None:
        text = f"{contract.file.name} knows no {route.title}"
        yield (route.method.lower(),), text, "correct the route, or add it to the contract"
        return
    answers: list[tuple[DataPath, HttpAnswer]] = []
    if route.respond is not None:
        answers = [(("respond",), route.respond)]
    answers += [(("sequence", index), answer) for index, answer in enumerate(route.sequence or ())]
    for at, answer in answers:
        handed_on = standin.kind is None or answer.status == 200
        reply = fixed(answer) if handed_on else None
        for wrong in contract.answer_errors(route.method, path, reply) if reply is not None else ():
            text = f"the answer is outside {contract.file.name}: {wrong}"
            yield at, text, "correct the answer; for one that breaks the contract use a fault: status, truncate …"
