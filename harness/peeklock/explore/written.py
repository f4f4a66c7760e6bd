"""The scenario that a finding becomes: an ordinary file beside the one that was explored, which fails until the system is mended."""

from __future__ import annotations

import copy
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml.comments import CommentedMap, CommentedSeq

from peeklock.explore.judge import Asked
from peeklock.explore.kind import Disturbance
from peeklock.explore.shrink import Shrunk
from peeklock.explore.variant import PATIENCE, is_patient, waits_before
from peeklock.scenario.model import Case, Scenario
from peeklock.scenario.writing import editable, flow, step, written
from peeklock.yaml_data import read_yaml

_SETTLING = "60s"
_LASTING = {"eventually": {"within": "20s", "stable_for": "1s"}}
"""A wrong end that was right for a moment is found, too."""


def write(scenario: Scenario, case: Case, shrunk: Shrunk, by: Disturbance, stack: Mapping[str, Any]) -> Path:
    """Write the file and return its path. It stands beside the explored one, so that every path in it leads where it led.

    `stack`: what of `stack.servicebus` is otherwise than in the explored one.
    """
    name = re.sub(r"[^a-z0-9]+", "_", case.name.lower()).strip("_")
    path = _free(scenario.path.parent, f"{scenario.path.stem}_found_{name}")
    path.write_text(text(scenario, case, shrunk, by, stack), encoding="utf-8")
    return path


def text(scenario: Scenario, case: Case, shrunk: Shrunk, by: Disturbance, stack: Mapping[str, Any]) -> str:
    """Return the file's text: the file that was explored, with one case, which is disturbed and asks for the right end."""
    own = editable(scenario.document.source)
    key = str(case.path[1])
    found = own["cases"][key]
    steps = [
        *map(step, by.steps),
        *_kept(found["steps"], case, shrunk),
        step({"settle": _SETTLING}),
        *[step(check(each)) for each in shrunk.asked],
    ]
    disturbed = CommentedMap({"description": by.text})
    for each in ("vars", "matrix", "clock", "lock", "isolation"):
        if each in found:
            disturbed[each] = _row(found["matrix"], case) if each == "matrix" else found[each]
    disturbed |= {"timeout": "3m", "allow": flow(["no_service_exit"]), "steps": CommentedSeq(steps)}
    own["scenario"] = f"{by.text[:1].upper()}{by.text[1:]}"
    own["cases"] = CommentedMap({f"{key}_disturbed": disturbed})
    own["always"] = flow(["nothing_lost", "nothing_doubled"])
    for unwanted in ("covers", "description", "explore"):
        own.pop(unwanted, None)
    if stack:
        _merge(own, {"stack": {"servicebus": stack}})
    first = f"# Found by `peeklock explore {scenario.path.name}::{case.name}`: fails until it is mended.\n"
    return first + written(own)


def _merge(into: Any, more: Mapping[str, Any]) -> None:
    for key, value in more.items():
        if isinstance(value, Mapping) and isinstance(into.get(key), Mapping):
            _merge(into[key], value)
        else:
            into[key] = flow(value)


def _kept(steps: Any, case: Case, shrunk: Shrunk) -> Iterator[Any]:
    for index, waits in waits_before(shrunk.kept):
        if waits:
            yield step({"settle": PATIENCE})
        kept = copy.deepcopy(steps[index])
        if is_patient(case.steps[index]):
            kept["eventually"] = PATIENCE
        yield kept


def _row(matrix: Any, case: Case) -> Any:
    """Return the matrix with the one row of the case."""
    return [dict(case.row)] if isinstance(matrix, list) else {name: [value] for name, value in case.row.items()}


def check(asked: Asked) -> dict[str, Any]:
    """Return the step that says how many facts like this there should be."""
    kind, _, name = asked.place.partition(" ")
    fields = [(path, read_yaml(value)) for path, value in asked.fields]
    expected = {"$gte": asked.expected} if asked.at_least else asked.expected
    match kind:
        case "table":
            where = " AND ".join(_condition(path, value) for path, value in fields)
            query = f"SELECT count(*) AS rows FROM {name} WHERE {where}"  # noqa: S608  of the user's own test database
            return {"db": {"query": query}, **_LASTING, "expect": {"first": {"rows": expected}}}
        case "queue":
            told = {"messages": {"queue": name, "where": _nested(fields)}}
        case "stand-in":
            told = {"requests": {"to": name, "where": _nested(fields)}}
        case _:
            told = {"blob": {"list": name}}
    return {**told, **_LASTING, "expect": {"count": expected}}


def _condition(column: str, value: Any) -> str:
    if re.fullmatch(r"[a-z_][a-z0-9_]*", column) is None:
        column = '"' + column.replace('"', '""') + '"'
    if value is None:
        return f"{column} IS NULL"
    told = str(value).lower() if isinstance(value, bool) else str(value).replace("'", "''")
    return f"{column}::text = '{told}'"


def _nested(fields: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for path, value in fields:
        at = found
        *parents, last = path.split(".")
        for parent in parents:
            at = at.setdefault(parent, {})
        at[last] = "$absent" if value is None else value
    return found


def _free(folder: Path, stem: str) -> Path:
    """Return the path of the first such file that is not there."""
    return next(path for number in itertools.count(1) if not (path := folder / f"{stem}_{number}.yaml").exists())
