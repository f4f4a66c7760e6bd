"""The published JSON Schema says what the loader says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from peeklock.scenario.document import parse
from peeklock.scenario.loader import discover
from peeklock.scenario.schema import scenario_schema
from peeklock.verbs import VOCABULARY

ROOT = Path(__file__).parents[3]
BAD = Path(__file__).parent / "bad"


@pytest.fixture(scope="module")
def validator() -> Any:
    schema = scenario_schema(VOCABULARY)
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


@pytest.mark.parametrize("path", discover([ROOT / "scenarios"]), ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_scenario_of_the_project_is_valid(path: Path, validator: Any) -> None:
    assert [error.message for error in validator.iter_errors(parse(path).data)] == []


@pytest.mark.parametrize(
    "name", ["unknown_key", "unknown_key_in_stack", "wrong_type", "unknown_verb", "two_verbs", "invariants", "no_cases"]
)
def test_an_editor_marks_what_the_loader_refuses(name: str, validator: Any) -> None:
    assert list(validator.iter_errors(parse(BAD / f"{name}.yaml").data))


def test_a_service_has_its_command_here_or_in_a_base(validator: Any) -> None:
    """A file that extends another one may override only the `env` of a service; any other says how it is run."""
    file = {"scenario": "a", "services": {"api": {"env": {"A": 1}}}, "cases": {"one": {"steps": [{"settle": None}]}}}
    assert [error.message for error in validator.iter_errors(file)] == ["'run' is a required property"]
    assert list(validator.iter_errors({**file, "extends": "base.yaml"})) == []


def test_a_stand_in_has_its_deployments_here_or_in_a_base(validator: Any) -> None:
    file = {"scenario": "a", "stack": {"openai": {"name": "models"}}, "cases": {"one": {"steps": [{"settle": None}]}}}
    assert [error.message for error in validator.iter_errors(file)] == ["'deployments' is a required property"]
    assert list(validator.iter_errors({**file, "extends": "base.yaml"})) == []


def test_the_published_file_is_up_to_date() -> None:
    """`make fix` writes it anew."""
    published = json.loads((ROOT / "docs" / "reference" / "scenario.schema.json").read_text(encoding="utf-8"))
    assert published == json.loads(json.dumps(scenario_schema(VOCABULARY)))
