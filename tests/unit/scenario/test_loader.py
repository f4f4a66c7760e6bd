"""Loading: bases, fragments, matrices, discovery, the project's root."""

from __future__ import annotations

from pathlib import Path

import pytest

from peeklock.scenario.errors import ScenarioInvalid
from peeklock.scenario.loader import discover, load
from peeklock.scenario.project import project_root
from peeklock.verbs import VOCABULARY


def write(folder: Path, **files: str) -> Path:
    (folder / "pyproject.toml").touch()
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder


BASE = """\
base: shared
tags: [shared]
stack: {servicebus: {queues: {jobs: {max_delivery_count: 3}, results: {}}}}
vars: {who: base, level: 1}
services: {api: {run: [python], env: {A: "1", B: "2"}, ready: {http: /ready}}}
background:
  - set: {from_base: "${who}"}
always: [no_dead_letters]
"""


def test_a_base_is_merged_below_the_file(tmp_path: Path) -> None:
    own = """\
scenario: mine
extends: base.yaml
stack: {servicebus: {queues: {jobs: {max_delivery_count: 5}}}}
vars: {who: me}
services: {api: {env: {B: "3"}}}
background:
  - set: {mine: "${from_base}"}
cases: {one: {steps: [{set: {x: "${mine}"}}]}}
"""
    scenario = load(write(tmp_path, base=BASE, own=own) / "own.yaml", VOCABULARY)
    servicebus = scenario.header.stack.servicebus
    assert servicebus is not None
    assert {name: queue.max_delivery_count for name, queue in servicebus.queues.items()} == {"jobs": 5, "results": 10}
    assert scenario.header.vars == {"who": "me", "level": 1}
    assert scenario.header.services["api"].env == {"A": "1", "B": "3"}
    assert scenario.header.services["api"].run == ["python"]
    assert scenario.header.always == ["no_dead_letters"]
    assert [next(iter(step.arguments)) for step in scenario.background] == ["from_base", "mine"]


def test_a_problem_in_a_base_is_told_where_it_stands(tmp_path: Path) -> None:
    write(
        tmp_path,
        base=BASE.replace("max_delivery_count", "max_delivery_cuont"),
        own="scenario: a\nextends: base.yaml\ncases: {one: {steps: [settle: 5s]}}\n",
    )
    with pytest.raises(ScenarioInvalid) as caught:
        load(tmp_path / "own.yaml", VOCABULARY)
    (problem,) = caught.value.problems
    assert problem.path.name == "base.yaml"
    assert problem.span is not None
    assert problem.span.line == 3
    assert problem.fix == 'did you mean "max_delivery_count"?'


def test_paths_in_a_base_start_in_its_folder(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "job.json").write_text("{}")
    (tmp_path / "shared" / "base.yaml").write_text(
        "base: b\nstack: {servicebus: {queues: {jobs: {schema: job.json}}}}\n"
    )
    write(tmp_path, own="scenario: a\nextends: shared/base.yaml\ncases: {one: {steps: [settle: 5s]}}\n")
    servicebus = load(tmp_path / "own.yaml", VOCABULARY).header.stack.servicebus
    assert servicebus is not None
    assert servicebus.queues["jobs"].message_schema == tmp_path / "shared" / "job.json"


@pytest.mark.parametrize(
    ("base", "message"),
    [
        ("tags: []\n", "a file that others extend says so"),
        ("base: b\ncases: {}\n", 'a base has no "cases"'),
        ("base: b\nextends: own.yaml\n", "in a circle"),
    ],
)
def test_a_base_that_is_none(tmp_path: Path, base: str, message: str) -> None:
    write(tmp_path, base=base, own="scenario: a\nextends: base.yaml\ncases: {one: {steps: [settle: 5s]}}\n")
    with pytest.raises(ScenarioInvalid, match=message):
        load(tmp_path / "own.yaml", VOCABULARY)


def test_a_matrix_of_lists_is_every_combination(tmp_path: Path) -> None:
    text = "scenario: a\ncases: {one: {matrix: {x: [1, 2], y: [a, b]}, steps: [{set: {z: '${x}${y}'}}]}}\n"
    scenario = load(write(tmp_path, own=text) / "own.yaml", VOCABULARY)
    assert [case.name for case in scenario.cases] == ["one[1-a]", "one[1-b]", "one[2-a]", "one[2-b]"]
    assert scenario.cases[3].row == {"x": 2, "y": "b"}


def test_a_matrix_of_mappings_is_one_case_each(tmp_path: Path) -> None:
    text = "scenario: a\ncases: {one: {matrix: [{id: first, x: 1}, {x: 2}], steps: [{set: {z: '${x}'}}]}}\n"
    scenario = load(write(tmp_path, own=text) / "own.yaml", VOCABULARY)
    assert [case.name for case in scenario.cases] == ["one[first]", "one[2]"]


FRAGMENT = "fragment: f\ninputs: {who: nobody}\noutputs: [greeting]\nsteps:\n  - set: {greeting: 'hello ${who}'}\n"


def test_a_fragment_knows_its_inputs_and_gives_its_outputs(tmp_path: Path) -> None:
    text = "scenario: a\ncases: {one: {steps: [{use: f.yaml, with: {who: you}, outputs: [greeting]}, {set: {x: '${greeting}'}}]}}\n"
    step = load(write(tmp_path, f=FRAGMENT, own=text) / "own.yaml", VOCABULARY).cases[0].steps[0]
    assert step.bindings == {"who": "you"}
    assert step.outputs == ("greeting",)


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ("{use: f.yaml, with: {whoo: you}}", 'no input "whoo"'),
        ("{use: f.yaml, outputs: [greting]}", 'no output "greting"'),
        ("{use: g.yaml}", "no such fragment"),
        ("{use: f.yaml, times: 0}", "whole number from 1"),
        ("{use: f.yaml, times: '${never}'}", '"never" is not defined'),
    ],
)
def test_a_fragment_used_wrongly(tmp_path: Path, step: str, message: str) -> None:
    write(tmp_path, f=FRAGMENT, own=f"scenario: a\ncases: {{one: {{steps: [{step}]}}}}\n")
    with pytest.raises(ScenarioInvalid, match=message):
        load(tmp_path / "own.yaml", VOCABULARY)


def test_a_fragment_does_not_see_the_names_of_its_user(tmp_path: Path) -> None:
    """What a fragment needs is an input, so that it can be read by itself."""
    fragment = "fragment: f\nsteps:\n  - set: {x: '${secret_of_the_user}'}\n"
    write(
        tmp_path,
        f=fragment,
        own="scenario: a\ncases: {one: {steps: [{set: {secret_of_the_user: 1}}, {use: f.yaml}]}}\n",
    )
    with pytest.raises(ScenarioInvalid, match="not defined here") as caught:
        load(tmp_path / "own.yaml", VOCABULARY)
    assert caught.value.problems[0].path.name == "f.yaml"


def test_discovery_takes_scenarios_and_leaves_the_rest(tmp_path: Path) -> None:
    write(tmp_path, b="scenario: b\n", a="cases: {}\n", base="base: x\n", other="key: value\n")
    (tmp_path / "fragments").mkdir()
    (tmp_path / "fragments" / "f.yaml").write_text("fragment: f\n")
    assert [path.name for path in discover([tmp_path])] == ["a.yaml", "b.yaml"]
    with pytest.raises(ScenarioInvalid, match="no such file"):
        discover([tmp_path / "nowhere"])


def test_the_root_is_the_nearest_project(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / ".git").mkdir()
    (tmp_path / "pyproject.toml").touch()
    assert project_root(tmp_path / "a" / "b" / "x.yaml") == tmp_path / "a"
    assert project_root(tmp_path / "x.yaml") == tmp_path


def test_where_nothing_marks_a_project_it_is_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that lies elsewhere is a project of its own."""
    (tmp_path / "here" / "scenarios").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    assert project_root(Path("scenarios/x.yaml")) == tmp_path / "here"
    assert project_root(tmp_path / "elsewhere" / "x.yaml") == tmp_path / "elsewhere"
