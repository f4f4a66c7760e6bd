"""Which cases run, and in what order."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from peeklock.engine.keyword import compile_keyword
from peeklock.engine.rule_check import rule_problems
from peeklock.engine.session import case_id
from peeklock.scenario.errors import Problem, ScenarioInvalid, suggestion
from peeklock.scenario.loader import discover, load
from peeklock.scenario.model import Case, Scenario
from peeklock.scenario.vocabulary import Vocabulary

if TYPE_CHECKING:
    from peeklock.standins.http.contract import Contract


@dataclass(frozen=True)
class Target:
    """A file or folder, and a case in it when one is named."""

    path: Path
    case: str = ""

    @classmethod
    def parse(cls, text: str) -> Target:
        """Read `path` or `path::case`."""
        path, _, case = text.partition("::")
        return cls(Path(path), case)


@dataclass(frozen=True)
class Choice:
    """What narrows a run down."""

    keyword: str = ""
    tags: tuple[str, ...] = ()
    only: frozenset[str] | None = None
    """Case ids, as of `--last-failed`."""
    shuffle: int | None = None


Plan = list[tuple[Scenario, list[Case]]]
"""Files with their cases, in the order in which they run."""


def load_all(paths: Iterable[Path], vocabulary: Vocabulary) -> list[Scenario]:
    """Return every scenario at or below `paths`. Raises `ScenarioInvalid` with the problems of all of them."""
    scenarios: list[Scenario] = []
    problems: list[Problem] = []
    contracts: dict[Path, Contract] = {}
    for path in discover(paths):
        try:
            scenario = load(path, vocabulary)
            scenarios.append(scenario)
            problems += rule_problems(scenario)
            problems += _contract_problems(scenario, contracts)
        except ScenarioInvalid as error:
            problems += error.problems
    if problems:
        raise ScenarioInvalid(list(dict.fromkeys(problems)))
    return scenarios


def _contract_problems(scenario: Scenario, opened: dict[Path, Contract]) -> list[Problem]:
    if not any(standin.contract for standin in scenario.header.stack.http.values()):
        return []
    from peeklock.engine.contract_check import contract_problems  # 45 ms

    return contract_problems(scenario, opened)


def make_plan(targets: Sequence[Target], choice: Choice, vocabulary: Vocabulary) -> Plan:
    """Return what is to run. Raises `ScenarioInvalid` when a file is wrong or a named case is not there."""
    wanted: dict[Path, tuple[Scenario, dict[str, Case]]] = {}
    loaded = {scenario.path: scenario for scenario in load_all([target.path for target in targets], vocabulary)}
    for target in targets:
        for path in discover([target.path]):
            scenario = loaded[path.resolve()]
            _, cases = wanted.setdefault(scenario.path, (scenario, {}))
            cases.update({case.name: case for case in _named(scenario, target.case)})
    keyword = compile_keyword(choice.keyword)
    pairs = [
        (scenario, case)
        for scenario, cases in wanted.values()
        for case in cases.values()
        if _chosen(scenario, case, choice, keyword)
    ]
    if choice.shuffle is not None:
        random.Random(choice.shuffle).shuffle(pairs)
    grouped: dict[Path, tuple[Scenario, list[Case]]] = {}
    for scenario, case in pairs:
        grouped.setdefault(scenario.path, (scenario, []))[1].append(case)
    return list(grouped.values())


def _named(scenario: Scenario, name: str) -> list[Case]:
    if not name:
        return list(scenario.cases)
    found = [case for case in scenario.cases if case.name == name or case.name.startswith(f"{name}[")]
    if not found:
        names = [case.name for case in scenario.cases]
        problem = Problem(
            scenario.path,
            None,
            f'there is no case "{name}"',
            expected="one of " + ", ".join(names),
            fix=suggestion(name, names),
        )
        raise ScenarioInvalid([problem])
    return found


def _chosen(scenario: Scenario, case: Case, choice: Choice, keyword: Callable[[str], bool]) -> bool:
    name = case_id(scenario, case)
    if choice.only is not None and name not in choice.only:
        return False
    if choice.tags and not set(choice.tags) & set(scenario.tags(case)):
        return False
    return keyword(" ".join([name, *scenario.tags(case), *scenario.covers(case)]))
