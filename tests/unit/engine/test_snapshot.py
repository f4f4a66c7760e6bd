"""What a case leaves behind, seen by an observer: messages with their end, not their way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from peeklock.engine.case import CaseOptions, CaseRun
from peeklock.engine.clients import Clients
from peeklock.engine.context import CaseContext
from peeklock.engine.snapshot import Fact, snapshot
from tests.unit.engine.fake import FakeEnvironment, scenario_of

HEADER = """\
scenario: test
stack:
  servicebus:
    queues:
      jobs: {consumers: [worker]}
      once: {consumers: [worker], duplicate_detection_window: 10m}
      seen: {}
      results: {}
services: {worker: {run: [python]}}
background: [{set: {a: 1}}]
cases: {a: {steps: [{set: {b: 2}}, {set: {c: "${nothing}"}}]}}
"""
WORKER = {"consumer": "service-worker@x/1"}


class Observer:
    """Lets messages happen when the steps are over, and looks at the end."""

    def __init__(self, world: FakeEnvironment) -> None:
        self.world, self.told, self.facts = world, [], []  # type: ignore[var-annotated]

    def begin(self, context: CaseContext) -> None:
        self.told.append(f"begins with {sorted(name for name in ('a', 'b') if name in context.names.visible())}")

    def acted(self, context: CaseContext) -> None:
        for queue in ("jobs", "once", "seen", "results"):
            self.world.happen("enqueued", queue, message_id="m", body={"queue": queue})
            self.world.happen("duplicate_dropped", queue, sequence=0, message_id="m", body={"queue": queue})
        self.world.happen("delivered", "seen", message_id="m", **WORKER)
        self.world.happen("delivered", "jobs", message_id="m", **WORKER)
        self.world.happen("completed", "jobs", message_id="m", **WORKER)

    def end(self, context: CaseContext) -> None:
        self.facts = snapshot(context)


@pytest.fixture
def observer(tmp_path: Path) -> Observer:
    """One that has seen a case whose last step fails."""
    world = FakeEnvironment("worker")
    observer = Observer(world)
    scenario = scenario_of(tmp_path, "", HEADER.replace('"${nothing}"', '"${a.b}"'))
    clients: Any = Clients(world, scenario.root)  # type: ignore[arg-type]
    options = CaseOptions(observer=observer)
    environment: Any = world
    CaseRun(scenario, scenario.cases[0], "a", environment, clients, lambda _: None, options).run()
    clients.close()
    return observer


def test_an_observer_sees_the_case_after_its_background_and_its_end_also_when_it_fails(observer: Observer) -> None:
    assert observer.told == ["begins with ['a']"]
    assert observer.facts


def test_messages_are_told_with_their_outcome_and_without_their_way(observer: Observer) -> None:
    """Duplicates that were dropped are none; how often a message was delivered is no part of the end."""
    told: list[Fact] = observer.facts
    assert [each.place for each in told] == ["queue jobs", "queue once", "queue seen", "queue results"]
    assert told[0].value == {"message_id": "m", "outcome": "completed", "body": {"queue": "jobs"}}


def test_more_of_the_same_are_borne_where_a_service_receives_and_nobody_promises_one(observer: Observer) -> None:
    borne = {each.place.removeprefix("queue "): each.at_least_once for each in observer.facts}
    assert borne == {"jobs": True, "once": False, "seen": True, "results": False}
