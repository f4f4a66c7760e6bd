"""`path`: the way of one item, held against what it has to be."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from peeklock.engine.events import CaseFinished
from peeklock.engine.item_path import Stage
from peeklock.engine.stage_table import compare, render
from peeklock.scenario.errors import ScenarioInvalid
from peeklock.scenario.matchers import Context
from peeklock.standins import Entry as Request
from peeklock.standins import Journal
from peeklock.standins.active_faults import ActiveFaults
from tests.unit.engine.fake import FakeEnvironment, run_one, scenario_of


class Asked:
    """A stand-in of which only the journal is there."""

    def __init__(self) -> None:
        self.journal, self.faults = Journal(), ActiveFaults[Any]()

    def ask(self, status: int = 200, **view: Any) -> None:
        view = {"method": "POST", "path": "/score", "status": status, **view}
        summary = f"{view['method']} {view['path']} {status}"
        self.journal.add(self.journal.life, Request(time.time(), view, summary))

    def reset(self) -> None: ...
    def close(self) -> None: ...


HEADER = """\
scenario: test
timeout: 3s
stack:
  blobs: {name: contoso, containers: [results]}
  openai: {deployments: {gpt: {answers: {text: yes}}}}
  servicebus: {queues: {jobs: {}, exports: {}}}
services:
  api: {run: [python]}
  worker: {run: [python]}
  exporter: {run: [python]}
"""
WHOLE = """
      - {queue: jobs, from: api, to: worker}
      - {call: openai, from: worker, path: /score}
      - {blob: results/item-7.png, from: worker}
      - {queue: exports, from: worker, to: exporter}
"""


class World(FakeEnvironment):
    """A system in which two items are worked on, as the test tells it."""

    def __init__(self) -> None:
        super().__init__("api", "worker", "exporter")
        self.openai, self.blobs = Asked(), Asked()
        self.standins = {"openai": self.openai, "blobs": self.blobs}  # type: ignore[dict-item]
        self.reset = lambda _at=None: 0  # type: ignore[method-assign]
        self.services.logs = lambda _=0, *, late=False: (self.services.lines, 0)  # type: ignore[method-assign]

    def job(self, item: str, sequence: int = 1, worker: str = "worker") -> None:
        self.happen("enqueued", "jobs", sequence, message_id=f"m{sequence}", body={"item": item}, sender="service-api")
        self.happen("delivered", "jobs", sequence, message_id=f"m{sequence}", consumer=f"service-{worker}.0@c/l")
        self.happen("completed", "jobs", sequence, message_id=f"m{sequence}")

    def scored(self, item: str, status: int = 200) -> None:
        self.openai.ask(status, caller="worker", body={"prompt": f"look at item {item}."})

    def put(self, item: str) -> None:
        self.blobs.ask(
            201, method="PUT", path=f"results/{item}.png", blob=f"{item}.png", container="results", caller="worker"
        )

    def exported(self, item: str, sequence: int = 1) -> None:
        self.happen("enqueued", "exports", sequence, message_id=item, body=None, sender="service-worker")
        self.happen("delivered", "exports", sequence, message_id=item, consumer="service-exporter@c/l")
        self.happen("completed", "exports", sequence, message_id=item)


def run(world: World, folder: Path, through: str = WHOLE, more: str = "") -> CaseFinished:
    step = (
        f"- path:\n        id: item-7\n        through: {through.replace('      - ', '          - ')}\n      {more}\n"
    )
    return run_one(scenario_of(folder, f"cases:\n  one:\n   steps:\n    {step}", HEADER), world)


def told(finished: CaseFinished) -> str:
    assert finished.failure is not None
    return "\n".join([finished.failure.headline, *finished.failure.notes])


def test_an_item_goes_its_way_beside_others(tmp_path: Path) -> None:
    """Found by body, request, blob name and message id; a refused call and a dropped duplicate are no stages."""
    world = World()
    for index, item in enumerate(("item-7", "item-77", "xitem-7"), 1):
        world.job(item, index)
        world.scored(item, 503)
        world.scored(item)
        world.put(item)
        world.exported(item, index)
    world.happen("duplicate_dropped", "jobs", 0, message_id="m1", body={"item": "item-7"})
    world.blobs.ask(200, method="GET", path="results/item-7.png", blob="item-7.png")
    finished = run(world, tmp_path)
    assert finished.outcome == "passed", told(finished)


def test_the_failure_shows_both_ways_side_by_side(tmp_path: Path) -> None:
    """The first divergence is marked; a double, a stranger and a missing stage have their words; the timeline is the item's."""
    world = World()
    world.job("item-8", 5)
    world.job("item-7", worker="exporter")
    world.scored("item-7", 503)
    world.scored("item-7")
    world.scored("item-7")
    world.log("worker", event="done", item="item-7")
    world.log("worker", event="done", item="item-8")
    finished = run(world, tmp_path)
    text = told(finished)
    assert "item-7: stage 1 differs: api → jobs → worker" in text
    lines = [" ".join(line.split()[:-1] if "ms" in line else line.split()) for line in text.splitlines()]
    assert any(
        line.startswith("> 1 differs api → jobs → worker") and line.endswith("api → jobs → exporter") for line in lines
    )
    assert 'to is "exporter", not "worker"' in text
    assert any(line.startswith("twice") and line.endswith("worker → openai POST /score") for line in lines)
    assert "3 missing worker → blob results/item-7.png" in lines
    assert "4 missing worker → exports → exporter" in lines
    assert "no stage: openai POST /score 503" in text
    assert finished.failure is not None
    rows = [f"{moment.actor} {moment.text}" for moment in finished.failure.timeline]
    assert "worker done item=item-7" in rows
    assert not any("item-8" in row or "seq 5" in row for row in rows)
    assert sum(row.startswith("openai") for row in rows) == 3


def test_it_waits_for_what_is_in_flight_and_gives_up_on_what_came_twice(tmp_path: Path) -> None:
    world = World()
    world.happen("enqueued", "jobs", message_id="item-7", body=None, sender="service-api")
    finished = run(world, tmp_path, "[{queue: jobs, to: worker}]", "eventually: 300ms")
    assert "stage 1 is in flight: jobs → worker" in told(finished)
    assert "gave up after" in told(finished)
    world = World()
    world.job("item-7")
    world.job("item-7", 2)
    finished = run(world, tmp_path, "[{queue: jobs, to: worker}]", "eventually: 20s")
    assert "stopped early after 1 tries" in told(finished)
    assert "a stage is twice, and stays so" in told(finished)


def test_without_through_it_is_a_collection(tmp_path: Path) -> None:
    world = World()
    world.job("item-7")
    steps = (
        "- path: {id: item-7}\n     expect: {items: [{queue: jobs, to: worker, outcome: completed, deliveries: 1}]}\n"
    )
    finished = run_one(scenario_of(tmp_path, f"cases:\n  one:\n   steps:\n   {steps}", HEADER), world)
    assert finished.outcome == "passed", told(finished)


@pytest.mark.parametrize(
    ("expected", "actual", "marks"),
    [
        ("abc", "abc", ["", "", ""]),
        ("abc", "ac", ["", "missing", ""]),
        ("ab", "abb", ["", "", "twice"]),
        ("ab", "aab", ["", "twice", ""]),
        ("aba", "ab", ["", "", "missing"]),
        ("ab", "axb", ["", "not expected", ""]),
        ("abc", "acb", ["", "out of order", "", "out of order"]),
        ("", "a", ["not expected"]),
        ("a", "", ["missing"]),
    ],
)
def test_each_divergence_has_its_word(expected: str, actual: str, marks: list[str]) -> None:
    stages = [Stage(float(n), {"queue": name}) for n, name in enumerate(actual)]
    assert [row.mark for row in compare([{"queue": name} for name in expected], stages, Context())] == marks


def test_the_table() -> None:
    expected = [{"queue": "jobs", "from": "api", "to": "worker"}, {"call": "aml", "method": "POST"}, {"blob": "out/a"}]
    stages = [
        Stage(
            0.012, {"queue": "jobs", "from": "api", "to": ["worker", "old"], "outcome": "completed", "deliveries": 2}
        ),
        Stage(0.5, {"blob": "out/a", "from": "worker"}),
    ]
    assert "\n".join(render("path of 7", compare(expected, stages, Context()), 0.0)) == (
        "path of 7       expected                  ms  actual\n"
        ">   1  differs  api → jobs → worker       12  api → jobs → worker and old (2 deliveries)\n"
        '                to is ["worker", "old"], not "worker"\n'
        "    2  missing  aml POST\n"
        "    3           blob out/a               500  worker → blob out/a"
    )


def test_a_file_that_cannot_be_is_told_at_its_place(tmp_path: Path) -> None:
    steps = "- path: {id: i, through: [{queue: job}, {call: aml}, {queue: jobs, to: worcer}, {queue: jobs, method: GET}, {to: api}]}"
    with pytest.raises(ScenarioInvalid) as caught:
        scenario_of(tmp_path, f"cases:\n  one:\n   steps:\n   {steps}\n", HEADER)
    text = str(caught.value)
    assert 'a queue has no "method": it has queue, from, to, outcome, deliveries' in text
    assert "a stage is one of queue, call or blob" in text
    steps = steps.replace(", {queue: jobs, method: GET}, {to: api}", "")
    with pytest.raises(ScenarioInvalid) as caught:
        scenario_of(tmp_path, f"cases:\n  one:\n   steps:\n   {steps}\n", HEADER.replace("name: contoso, ", ""))
    text = str(caught.value)
    assert 'there is no queue "job"' in text
    assert 'there is no stand-in "aml"' in text
    assert 'did you mean "worker"?' in text
