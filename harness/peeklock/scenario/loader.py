"""Reads and checks scenario files: everything that can be known to be wrong is said before anything starts."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from peeklock.scenario.alert_rules import load_rules
from peeklock.scenario.budget import budget_problems
from peeklock.scenario.criteria import known_criteria
from peeklock.scenario.document import DataPath, Document, parse, parse_text
from peeklock.scenario.errors import Problem, ScenarioInvalid, suggestion
from peeklock.scenario.files import is_scenario_file
from peeklock.scenario.identities import identity_problems
from peeklock.scenario.model import Case, CaseHeader, FragmentHeader, Header, Scenario, Step
from peeklock.scenario.names import check_fragment, check_scenario
from peeklock.scenario.production_names import check_production_names
from peeklock.scenario.project import project_root, with_project
from peeklock.scenario.servicebus_config import with_config
from peeklock.scenario.services import process_names
from peeklock.scenario.standins import standin_problems
from peeklock.scenario.steps import StepReader
from peeklock.scenario.telemetry_check import telemetry_problems
from peeklock.scenario.topology import Receivable, Stack
from peeklock.scenario.validation import validate
from peeklock.scenario.vocabulary import Facts, Vocabulary, undeclared


def load(path: Path, vocabulary: Vocabulary) -> Scenario:
    """Return a checked scenario. Raises `ScenarioInvalid` with every problem that was found."""
    own = parse(path.resolve())
    bases = _bases(own, (own.path,))
    document = own
    for base in bases:
        document = document.extending(base)
    document, misconfigured, passed_over = with_config(document)
    document, of_the_project = with_project(document)
    header, problems = _header(document)
    problems += of_the_project
    problems += misconfigured
    if header is None:
        raise ScenarioInvalid(sorted(problems, key=Problem.order))
    criteria = known_criteria(document.path, project_root(document.path))
    problems += _unknown_criteria(header, document, criteria)
    alerts, wrong = load_rules(_alert_files(header), document, header.stack)
    problems += wrong
    facts = _facts(header, None if wrong else frozenset(alerts))

    def around(key: str) -> tuple[Step, ...]:
        return tuple(
            step
            for owner in (*reversed(bases), own)
            for step in StepReader(owner, vocabulary, facts, problems, _load_fragment).read_all(
                owner.data.get(key, []), (key,)
            )
        )

    background, finally_ = around("background"), around("finally")
    reader = StepReader(document, vocabulary, facts, problems, _load_fragment)
    cases = [
        Case(name, case, steps, ("cases", key), row)
        for key, case in header.cases.items()
        for steps in [reader.read_all(case.steps, ("cases", key, "steps"))]
        for name, row in _spread(key, case, document, problems)
    ]
    problems += _service_problems(header, document)
    budgets = {key: case.budget for key, case in header.cases.items()}
    problems += budget_problems(budgets, header.stack, header.services, document)
    problems += telemetry_problems(header.always, header.stack, document)
    problems += standin_problems(header.stack, header.services, document)
    problems += identity_problems(header.stack, header.services, document)
    scenario = Scenario(
        document.path, document, header, background, tuple(cases), finally_, project_root(document.path), alerts,
        passed_over,
    )  # fmt: skip
    problems += check_scenario(scenario)
    problems += check_production_names(scenario)
    if problems:
        raise ScenarioInvalid(sorted(dict.fromkeys(problems), key=Problem.order))
    return scenario


def read_steps(scenario: Scenario, raw: Sequence[Any], vocabulary: Vocabulary) -> tuple[Step, ...]:
    """Return steps that stand in no file, as if they stood in this one. Raises `ScenarioInvalid`."""
    document = parse_text(json.dumps({"steps": list(raw)}), scenario.path)
    problems: list[Problem] = []
    facts = _facts(scenario.header, frozenset(scenario.alerts))
    steps = StepReader(document, vocabulary, facts, problems, _load_fragment).read_all(
        document.data["steps"], ("steps",)
    )
    if problems:
        raise ScenarioInvalid(problems)
    return steps


def _facts(header: Header, alerts: frozenset[str] | None) -> Facts:
    """Return what a file declares; `alerts`: None where their files cannot be read."""
    scaled = {name: service.scale for name, service in header.services.items() if service.scale is not None}
    return Facts(
        header.stack,
        frozenset(header.services),
        frozenset(process_names(header.services)),
        frozenset(scaled),
        frozenset(name for name, scale in scaled.items() if scale.job),
        alerts,
    )


def _alert_files(header: Header) -> dict[DataPath, str]:
    if isinstance(header.alerts, str):
        return {("alerts",): header.alerts}
    return {("alerts", number): name for number, name in enumerate(header.alerts)}


def discover(paths: Iterable[Path]) -> list[Path]:
    """Return the scenario files at or below `paths`, in order. Raises `ScenarioInvalid` for a path that is not there."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += [file for file in sorted(path.rglob("*.yaml")) if is_scenario_file(file)]
        elif path.exists():
            found.append(path)
        else:
            raise ScenarioInvalid([Problem(path, None, "no such file or folder", fix="check the path")])
    return list(dict.fromkeys(found))


def _header(document: Document) -> tuple[Header | None, list[Problem]]:
    """Return the header with what is wrong in it; what is wrong is left out of it, so that the rest can be checked, too."""
    if not isinstance(document.data, dict):
        problem = document.problem(
            (), "a scenario file is a mapping", expected="scenario: …", fix="begin with scenario: NAME"
        )
        return None, [problem]
    data = document.data
    header, problems = validate(Header, data, document, ())
    found = problems
    for _ in range(_MOST_REPAIRS):
        if header is not None or not found:
            break
        for path in [problem.data_path for problem in found]:
            data = _without(data, path)
        header, found = validate(Header, data, document, ())
    return header, problems


_MOST_REPAIRS = 10
"""How often a header is tried again without what is wrong in it: what remains may lack something, and so on upwards."""


_NAMED: Mapping[str | int, Any] = {"services": {"run": ["python"]}, "deployments": {"embeddings": {}}}
"""What stands in the place of one that is wrong, since others may name it."""


def _without(data: Any, path: DataPath) -> Any:
    """Return `data` without what stands at `path`, or without what should hold it."""
    if not path:
        return {}
    first, *rest = path
    if first in _NAMED and len(rest) == 1 and isinstance(data, dict) and isinstance(data.get(first), dict):
        return {**data, first: {**data[first], rest[0]: _NAMED[first]}}
    if isinstance(data, dict) and first in data:
        if rest and isinstance(data[first], dict | list):
            return {**data, first: _without(data[first], tuple(rest))}
        return {key: value for key, value in data.items() if key != first}
    if isinstance(data, list) and isinstance(first, int) and first < len(data):
        if rest and isinstance(data[first], dict | list):
            return [*data[:first], _without(data[first], tuple(rest)), *data[first + 1 :]]
        return [*data[:first], *data[first + 1 :]]
    return {} if isinstance(data, dict) else []


def _unknown_criteria(header: Header, document: Document, criteria: Mapping[str, str]) -> list[Problem]:
    """Return a problem for each covered criterion that no `criteria.yaml` near the file knows; none where there is no such file."""
    if not criteria:
        return []
    places: list[tuple[DataPath, list[str]]] = [(("covers",), header.covers)]
    places += [(("cases", key, "covers"), case.covers) for key, case in header.cases.items()]
    return [
        document.problem(
            (*path, index),
            f'there is no criterion "{name}"',
            expected="an id of criteria.yaml",
            fix=suggestion(name, criteria) or "add it there",
        )
        for path, names in places
        for index, name in enumerate(names)
        if name not in criteria
    ]


def _bases(document: Document, trail: tuple[Path, ...]) -> list[Document]:
    """Return the files that a document extends, the nearest first."""
    wanted = document.data.get("extends") if isinstance(document.data, dict) else None
    if wanted is None:
        return []
    here = ("extends",)
    file = (document.path.parent / str(wanted)).resolve()
    if not file.is_file():
        fix = "paths are relative to the file that names them"
        raise ScenarioInvalid([document.problem(here, f"no such file: {wanted}", fix=fix)])
    if file in trail:
        raise ScenarioInvalid([document.problem(here, "files extend each other in a circle", fix="remove one extends")])
    base = parse(file)
    if not isinstance(base.data, dict) or not isinstance(base.data.get("base"), str):
        problem = base.problem(
            (), "a file that others extend says so", expected="base: NAME", fix="begin with base: NAME"
        )
        raise ScenarioInvalid([problem])
    for key in ("scenario", "cases"):
        if key in base.data:
            raise ScenarioInvalid(
                [base.problem((key,), f'a base has no "{key}"', fix="move it to a scenario file", at_key=True)]
            )
    return [base, *_bases(base, (*trail, file))]


def _load_fragment(
    path: Path, vocabulary: Vocabulary, facts: Facts, trail: tuple[Path, ...]
) -> tuple[FragmentHeader, tuple[Step, ...]]:
    document = parse(path)
    if not isinstance(document.data, dict):
        raise ScenarioInvalid([document.problem((), "a fragment file is a mapping", expected="fragment: …")])
    header, problems = validate(FragmentHeader, document.data, document, ())
    if header is None:
        raise ScenarioInvalid(problems)
    reader = StepReader(document, vocabulary, facts, problems, _load_fragment, (*trail, path))
    steps = reader.read_all(header.steps, ("steps",))
    problems += check_fragment(document, header, steps)
    if problems:
        raise ScenarioInvalid(problems)
    return header, steps


MOST_ROWS = 10_000
"""Cases that one matrix may become."""


def _spread(
    key: str, case: CaseHeader, document: Document, problems: list[Problem]
) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the name and the variables of each row of a case's matrix."""
    here = ("cases", key, "matrix")
    if not case.matrix:
        return [(key, {})]
    if isinstance(case.matrix, list):
        rows: list[dict[str, Any]] = case.matrix
        labels = [str(row.get("id") or next(iter(row.values()), index)) for index, row in enumerate(rows)]
    else:
        count = math.prod(map(len, case.matrix.values()))
        if not 0 < count <= MOST_ROWS:
            message = (
                f"the matrix makes {count} cases" if count else "the matrix makes no case: one of its lists is empty"
            )
            problems.append(document.problem(here, message, expected=f"1 to {MOST_ROWS}"))
            return [(key, {})]
        rows = [dict(zip(case.matrix, values, strict=True)) for values in itertools.product(*case.matrix.values())]
        labels = ["-".join(str(value) for value in row.values()) for row in rows]
    for index, label in enumerate(labels):
        first = labels.index(label)
        if first != index:
            place = (*here, index) if isinstance(case.matrix, list) else here
            message = f'two rows of the matrix are called "{label}": one of them would never run'
            problems.append(document.problem(place, message, fix="give each row an id of its own: {id: …}"))
    return [(f"{key}[{label}]", row) for label, row in zip(labels, rows, strict=True)]


def _service_problems(header: Header, document: Document) -> list[Problem]:
    problems: list[Problem] = []
    names = list(header.services)

    def unknown(name: str, path: DataPath) -> None:
        if name not in names:
            problems.append(
                document.problem(
                    path,
                    f'there is no service "{name}"',
                    expected="one of " + ", ".join(names),
                    fix=suggestion(name, names),
                )
            )

    for name, service in header.services.items():
        for index, other in enumerate(service.depends_on):
            unknown(other, ("services", name, "depends_on", index))
        if service.scale is not None:
            bus = header.stack.servicebus
            for index, rule in enumerate(service.scale.queues):
                where = ("services", name, "scale", *service.scale.written(index))
                problems += [
                    document.problem(found.path, found.message, expected=found.expected, fix=found.fix)
                    for found in (
                        *undeclared("queue", rule.queue, bus.receivable() if bus else {}, (*where, "queue")),
                        *undeclared("access rule", rule.auth, bus.access_rules if bus else {}, (*where, "auth")),
                        *undeclared("identity", rule.identity, header.stack.identities, (*where, "identity")),
                    )
                ]
    for key, case in header.cases.items():
        for name in case.services:
            unknown(name, ("cases", key, "services", name))
    if header.defaults.http.service:
        unknown(header.defaults.http.service, ("defaults", "http", "service"))
    for path, receivable in _receivable(header.stack):
        for index, consumer in enumerate(receivable.consumers or []):
            unknown(consumer, (*path, "consumers", index))
    problems += _cycles(header, document)
    return problems


def _receivable(stack: Stack) -> Iterator[tuple[DataPath, Receivable]]:
    if stack.servicebus is None:
        return
    base = ("stack", "servicebus")
    for name, queue in stack.servicebus.queues.items():
        yield (*base, "queues", name), queue
    for topic, facts in stack.servicebus.topics.items():
        for name, subscription in facts.subscriptions.items():
            yield (*base, "topics", topic, "subscriptions", name), subscription


def _cycles(header: Header, document: Document) -> list[Problem]:
    done: set[str] = set()
    for start in header.services:
        trail: list[str] = []

        def visit(name: str, trail: list[str] = trail) -> bool:
            if name in trail:
                return True
            if name in done or name not in header.services:
                return False
            trail.append(name)
            circular = any(visit(other) for other in header.services[name].depends_on)
            if not circular:
                trail.remove(name)
                done.add(name)
            return circular

        if visit(start):
            path = ("services", start, "depends_on")
            return [
                document.problem(
                    path,
                    "services wait for each other in a circle",
                    actual=" → ".join(trail),
                    fix="remove one depends_on",
                )
            ]
    return []
