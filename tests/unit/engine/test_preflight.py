"""The pre-flight check of a file: before its first case, and as a step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from peeklock.engine import preflight
from peeklock.engine.case import CaseOptions
from peeklock.engine.session import Session
from peeklock.preflight import Report
from peeklock.scenario.model import Scenario
from peeklock.servicebus import Emulator, Queue, Topology
from peeklock.stack.backend import EnvironmentSpec
from tests.unit.engine.fake import HEADER, FakeEnvironment, run_one, scenario_of

CASES = "cases: {one: {steps: [{preflight: , expect: {names: []}}]}}\n"
FOR_KEDA = """\
scenario: test
stack:
  servicebus: {queues: {jobs: }, access_rules: {reader: {rights: [Listen]}}}
services:
  worker: {run: [python], scale: {queue: jobs, auth: reader}}
"""
WITH_SCHEMAS = """\
scenario: test
stack: {servicebus: {queues: {jobs: {schema: api/contracts/job.json}}}}
services:
  api: {run: [python], cwd: api}
  worker: {run: [python], cwd: worker}
"""


def names(report: Report) -> list[str]:
    return [each.name for each in report.findings]


def listening(**consumers: list[str]) -> FakeEnvironment:
    world = FakeEnvironment("worker")
    world.consumers = {"jobs": [], "results": [], **consumers}
    return world


def test_nothing_is_wrong(tmp_path: Path) -> None:
    """Whoever is to receive from a queue does."""
    assert run_one(scenario_of(tmp_path, CASES), listening(jobs=["service-worker"])).outcome == "passed"


def test_a_queue_from_which_nobody_receives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker is up, and receives from another one."""
    monkeypatch.setattr(preflight, "_PATIENCE", 0.05)
    report = preflight.look(scenario_of(tmp_path, CASES), listening(results=["service-worker"]))  # type: ignore[arg-type]
    (found,) = report.findings
    assert (found.name, found.actual) == ("consumer-missing", "it receives from results")
    assert found.where.startswith("test.yaml:")


def test_a_step_may_ask_what_would_be_with_another_variable(tmp_path: Path) -> None:
    with Emulator(Topology(queues={"jobs": Queue()})) as bus:
        world = listening(jobs=["service-worker"])
        world.services.told["worker"] = {
            "BUS": bus.connection_string(),
            "JOBS_QUEUE": "jobs",
        }
        cases = (
            "cases: {one: {steps: ["
            "{preflight: , expect: {findings: []}},"
            " {preflight: {env: {worker: {JOBS_QUEUE: jobz}}}, expect: {findings: [{name: queue-missing, where: '`env` of the step (JOBS_QUEUE)'}]}}"
            "]}}\n"
        )
        header = HEADER.replace("      results: {}\n", "")
        assert run_one(scenario_of(tmp_path, cases, header), world).failure is None


def test_keda_without_manage(tmp_path: Path) -> None:
    report = preflight.look(scenario_of(tmp_path, CASES, FOR_KEDA), FakeEnvironment("worker"), running=False)  # type: ignore[arg-type]
    (found,) = report.findings
    assert (found.name, found.where) == ("scaler-without-manage", "test.yaml:5")


@pytest.mark.parametrize(
    ("theirs", "found"),
    [('{\n "type":\n "object"}', []), ('{"type": "array"}', ["different-contracts"])],
    ids=["laid_out_in_another_way", "another"],
)
def test_a_contract_that_api_and_worker_read_differently(tmp_path: Path, theirs: str, found: list[str]) -> None:
    for service, text in (("api", '{"type": "object"}'), ("worker", theirs)):
        (tmp_path / service / "contracts").mkdir(parents=True)
        (tmp_path / service / "contracts" / "job.json").write_text(text)
    scenario = scenario_of(tmp_path, CASES, WITH_SCHEMAS)
    report = preflight.look(scenario, FakeEnvironment("api", "worker"), running=False)  # type: ignore[arg-type]
    assert names(report) == found


class Stack:
    """Gives one environment, after what is to be done before its services start."""

    warm, backend, place, abilities = False, "fake", "", frozenset[str]()
    timings: dict[str, float] = {}

    def __init__(self, world: FakeEnvironment) -> None:
        self.world, self.started = world, False

    def lacks(self, _wanted: object) -> str:
        return ""

    def environment(self, spec: EnvironmentSpec) -> Any:
        if spec.before_services is not None:
            spec.before_services(self.world)  # type: ignore[arg-type]
        self.started = True
        return self.world

    def close(self) -> None: ...


def outcome(scenario: Scenario, stack: Any) -> Any:
    return Session(lambda: stack, lambda _: None, CaseOptions()).run(scenario, scenario.cases[0])


def test_a_file_that_asks_for_it_is_checked_before_a_service_starts(tmp_path: Path) -> None:
    """The case has failed, with the place of the wish and the fault by name; nothing was started."""
    header = "preflight: true\n" + FOR_KEDA
    stack = Stack(FakeEnvironment("worker"))
    finished = outcome(scenario_of(tmp_path, CASES, header), stack)
    assert not stack.started
    assert finished.outcome == "failed"
    assert (finished.failure.step, finished.failure.where) == ("the pre-flight check", "test.yaml:1:1")
    assert any("scaler-without-manage" in note for note in finished.failure.notes)


def test_it_is_checked_again_when_the_services_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "_PATIENCE", 0.05)
    stack = Stack(listening(results=["service-worker"]))
    finished = outcome(scenario_of(tmp_path, CASES, "preflight: true\n" + HEADER), stack)
    assert stack.started
    assert finished.outcome == "failed"
    assert any("consumer-missing" in note for note in finished.failure.notes)


def test_a_file_that_does_not_is_not(tmp_path: Path) -> None:
    cases = "cases: {one: {steps: [{set: {a: 1}}]}}\n"
    assert outcome(scenario_of(tmp_path, cases, FOR_KEDA), Stack(FakeEnvironment("worker"))).outcome == "passed"


def test_folders_of_contracts_that_a_variable_names(tmp_path: Path) -> None:
    """API and solver read `CONTRACTS_DIR`, each its own: the file that differs is named with both places."""
    world = FakeEnvironment("api", "worker")
    for service, version in (("api", "1"), ("worker", "2")):
        folder = tmp_path / service / "contracts"
        (folder / "sitefit").mkdir(parents=True)
        (folder / "sitefit" / "inputs.json").write_text(f'{{"version": {version}}}')
        (folder / "same.json").write_text("{}")
        world.services.told[service] = {"CONTRACTS_DIR": str(folder)}
    header = "scenario: test\nservices: {api: {run: [python]}, worker: {run: [python]}}\n"
    report = preflight.look(scenario_of(tmp_path, CASES, header), world, running=False)  # type: ignore[arg-type]
    (found,) = report.findings
    assert (found.name, found.what.partition(" is ")[0]) == (
        "different-contracts",
        "sitefit/inputs.json of CONTRACTS_DIR",
    )
    assert "api/contracts/sitefit/inputs.json" in found.where
    assert "worker/contracts/sitefit/inputs.json" in found.where


def test_what_another_file_has_left_behind_is_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that is handed on is as new before it is looked at."""
    monkeypatch.setattr(preflight, "_PATIENCE", 0.05)
    first = scenario_of(tmp_path, "cases: {one: {steps: [{set: {a: 1}}]}}\n")
    second = scenario_of(tmp_path, CASES, "preflight: true\n" + HEADER)

    class World(FakeEnvironment):
        def reset(self, at: Any = None) -> int:
            self.consumers = {"jobs": ["service-worker"]}
            return super().reset(at)

    world = World("worker")
    stack: Any = Stack(world)
    session = Session(lambda: stack, lambda _: None, CaseOptions())
    assert session.run(first, first.cases[0]).outcome == "passed"
    session.finish(first)
    world.consumers = {}
    assert session.run(second, second.cases[0]).outcome == "passed"
