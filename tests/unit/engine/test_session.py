"""Environments of a session: brought up when they are needed, or a little ahead, and handed on or given back."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from peeklock.engine.case import CaseOptions
from peeklock.engine.events import CaseFinished, Durations
from peeklock.engine.pace import Pace
from peeklock.engine.session import Session
from peeklock.scenario.loader import load
from peeklock.scenario.model import Scenario
from peeklock.scenario.topology import Stack
from peeklock.stack.backend import EnvironmentSpec
from peeklock.stack.errors import StackError
from peeklock.verbs import VOCABULARY
from tests.unit.engine.fake import FakeEnvironment

ALONE = "cases: {moved: {steps: [{clock: {advance: 1d}}]}}\n"
PLAIN = "cases: {plain: {steps: [{set: {a: 1}}]}}\n"


class FakeStack:
    """Gives out environments in memory; `gate` lets a test hold that up."""

    warm, backend, place = False, "fake", ""
    timings: dict[str, float] = {}

    def __init__(self, abilities: frozenset[str] = frozenset({"clock"})) -> None:
        self.abilities = abilities
        self.asked: list[str] = []
        self.closed: list[str] = []
        self.gate = threading.Event()
        self.gate.set()
        self.trouble: dict[str, StackError] = {}
        self.arrived = threading.Semaphore(0)

    def why_not(self, ability: str) -> str:
        return "" if ability in self.abilities else "of the test"

    def lacks(self, wanted: Stack) -> str:
        return "no Postgres 17 here" if wanted.postgres is not None and wanted.postgres.major == 17 else ""

    def environment(self, spec: EnvironmentSpec) -> Any:
        self.asked.append(spec.name)
        self.arrived.release()
        self.gate.wait(10)
        if spec.name in self.trouble:
            raise self.trouble[spec.name]
        environment = FakeEnvironment()
        environment.close = lambda: self.closed.append(spec.name)  # type: ignore[method-assign]
        return environment

    def close(self) -> None: ...


def scenario(folder: Path, name: str, cases: str, title: str = "") -> Scenario:
    (folder / "pyproject.toml").touch()
    path = folder / f"{name}.yaml"
    path.write_text(
        f"scenario: {name}\nstack: {{blobs: {{containers: [of-{title or name}]}}}}\n{cases}", encoding="utf-8"
    )
    return load(path, VOCABULARY)


def session_on(stack: Any) -> Session:
    return Session(lambda: stack, lambda _event: None, CaseOptions())


def test_a_file_that_was_prepared_is_brought_up_once(tmp_path: Path) -> None:
    """And its first case waits for what is under way already."""
    stack, file = FakeStack(), scenario(tmp_path, "alone", ALONE)
    session = session_on(stack)
    stack.gate.clear()
    session.prepare(file, file.cases)
    assert stack.arrived.acquire(timeout=10)
    found: list[CaseFinished] = []
    running = threading.Thread(target=lambda: found.append(session.run(file, file.cases[0])))
    running.start()
    stack.gate.set()
    running.join(10)
    assert [finished.outcome for finished in found] == ["passed"]
    session.close()
    assert (stack.asked, stack.closed) == (["alone"], ["alone"])


def test_a_file_whose_servers_cannot_be_had_is_skipped_with_the_reason(tmp_path: Path) -> None:
    """The same file runs wherever they can; nothing is brought up for it here, not even ahead."""
    (tmp_path / "pyproject.toml").touch()
    path = tmp_path / "named.yaml"
    path.write_text(f"scenario: named\nstack: {{postgres: {{version: 17}}}}\n{PLAIN}", encoding="utf-8")
    stack, file = FakeStack(), load(path, VOCABULARY)
    session = session_on(stack)
    session.prepare(file, file.cases)
    finished = session.run(file, file.cases[0])
    assert (finished.outcome, finished.reason, stack.asked) == ("skipped", "no Postgres 17 here", [])
    session.close()


def test_one_file_at_most_is_ahead(tmp_path: Path) -> None:
    """Each stack that waits costs memory; the next one is begun when the first is used."""
    stack = FakeStack()
    first, second = (scenario(tmp_path, name, ALONE) for name in ("first", "second"))
    session = session_on(stack)
    session.prepare(first, first.cases)
    session.prepare(second, second.cases)
    session.run(first, first.cases[0])
    assert stack.asked == ["first"]
    session.prepare(second, second.cases)
    session.run(second, second.cases[0])
    assert stack.asked == ["first", "second"]
    session.close()


def test_nothing_is_prepared_that_another_file_hands_on_or_nobody_will_use(tmp_path: Path) -> None:
    stack = FakeStack(frozenset())
    one, same = (scenario(tmp_path, name, PLAIN, "shared") for name in ("one", "same"))
    skipped = scenario(tmp_path, "skipped", ALONE)
    session = session_on(stack)
    session.run(one, one.cases[0])
    session.prepare(same, same.cases)
    session.prepare(skipped, skipped.cases)
    session.finish(one)
    assert session.run(same, same.cases[0]).outcome == "passed"
    session.close()
    assert stack.asked == ["one"]


def test_what_was_prepared_for_nothing_is_given_back(tmp_path: Path) -> None:
    """A run that is ended early leaves nothing standing."""
    stack, file = FakeStack(), scenario(tmp_path, "alone", ALONE)
    session = session_on(stack)
    session.prepare(file, file.cases)
    session.finish(file)
    assert stack.closed == ["alone"]
    session.close()


def test_what_goes_wrong_ahead_is_told_by_the_cases(tmp_path: Path) -> None:
    stack, file = FakeStack(), scenario(tmp_path, "alone", ALONE)
    stack.trouble["alone"] = StackError("no room")
    session = session_on(stack)
    session.prepare(file, file.cases)
    finished = session.run(file, file.cases[0])
    assert (finished.outcome, "no room" in finished.reason) == ("error", True)
    session.finish(file)
    session.close()


def test_the_longest_file_begins_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By what the last runs have shown; where nothing is known, by the number of cases and by whether a stack of its own is needed."""
    monkeypatch.chdir(tmp_path)
    plain, alone = scenario(tmp_path, "plain", PLAIN), scenario(tmp_path, "alone", ALONE)
    plan = [(plain, list(plain.cases)), (alone, list(alone.cases))]
    path = tmp_path / "durations.json"
    pace = Pace(path)
    assert [file.path.stem for file, _ in pace.longest_first(plan)] == ["alone", "plain"]
    pace(CaseFinished(0.0, "plain.yaml::plain", "passed", Durations(setup=1.0, waiting=8.0)))
    pace(CaseFinished(0.0, "alone.yaml::moved", "skipped", Durations(setup=99.0)))
    pace.remember()
    assert [file.path.stem for file, _ in Pace(path).longest_first(plan)] == ["plain", "alone"]
    path.write_text("[broken", encoding="utf-8")
    assert [file.path.stem for file, _ in Pace(path).longest_first(plan)] == ["alone", "plain"]
