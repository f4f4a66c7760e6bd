"""What a case has met of the contracts of its stand-ins."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from peeklock.engine.operations import contract_uses
from peeklock.scenario.model import Scenario
from peeklock.standins import Entry, Journal, StandIn

KNOWN = {"POST /score": ("200", "400")}


def standin(*views: dict[str, Any], problem: str = "") -> StandIn:
    """One that has answered so."""
    journal = Journal(KNOWN)
    for view in views:
        journal.add(0, Entry(1.0, view, "", problem))
    return cast("StandIn", SimpleNamespace(journal=journal))


def scenario(**contracts: str | None) -> Scenario:
    http = {name: SimpleNamespace(contract=file and Path(file)) for name, file in contracts.items()}
    header = SimpleNamespace(stack=SimpleNamespace(http=http))
    return cast("Scenario", SimpleNamespace(header=header, root=Path("/project")))


def asked(status: int | None = 200, **more: Any) -> dict[str, Any]:
    return {"operation": "POST /score", "contract": [], **({"status": status} if status else {}), **more}


def test_requests_are_counted_by_operation_and_status() -> None:
    """What is outside of the contract shows nothing of it; nor does what nobody answered."""
    met = asked(contract=["body.job: 7 is not of type 'string'"])
    standins = {"aml": standin(asked(), asked(), asked(400), met, asked(None, hung_up=True), {"path": "/unknown"})}
    [(file, use)] = contract_uses(scenario(aml="/project/contracts/aml.yaml"), standins).items()
    assert (file, use.known) == ("contracts/aml.yaml", KNOWN)
    assert use.met == {"POST /score": {"200": 2, "400": 1, "outside": 1, "hung up": 1}}


def test_stand_ins_that_share_a_contract_are_counted_together() -> None:
    """A stand-in without a contract, and one that is not there, count nothing; a file elsewhere goes by its name."""
    standins = {"one": standin(asked()), "two": standin(asked()), "plain": standin(asked())}
    found = contract_uses(scenario(one="/else/a.yaml", two="/else/a.yaml", plain=None, gone="/else/b.yaml"), standins)
    assert {file: use.met for file, use in found.items()} == {"a.yaml": {"POST /score": {"200": 2}}}


def test_what_no_route_answers_is_no_answer_of_the_contract() -> None:
    found = contract_uses(
        scenario(aml="/project/a.yaml"), {"aml": standin(asked(500), problem="routes[0] has no answer")}
    )
    assert found["a.yaml"].met == {"POST /score": {"outside": 1}}
