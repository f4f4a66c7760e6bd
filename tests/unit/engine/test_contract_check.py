"""What can be known of a contract before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from peeklock.engine.plan import load_all
from peeklock.scenario.errors import ScenarioInvalid
from peeklock.verbs import VOCABULARY
from tests.unit.standins.test_contract import CONTRACT

SCENARIO = """\
scenario: Scoring
stack:
  http:
    aml:
      contract: scoring.openapi.yaml
      routes:
        - {post: /v1/score, when: {body: {a: 1}}, respond: {json: {label: 1}}}
        - {post: /v1/scroe, respond: {}}
        - {get: "/v1/jobs/{id}", sequence: [{json: {}}, {status: 404}]}
        - {post: /v1/score, respond: {json: {label: "${request.body.job}"}}}
cases:
  one: {steps: [{http: {get: "${http.aml.url}/"}}]}
"""


def problems(folder: Path, contract: str, scenario: str = SCENARIO) -> list[str]:
    (folder / "scoring.openapi.yaml").write_text(contract, encoding="utf-8")
    (folder / "scoring.yaml").write_text(scenario, encoding="utf-8")
    with pytest.raises(ScenarioInvalid) as caught:
        load_all([folder / "scoring.yaml"], VOCABULARY)
    return [f"{each.span.line if each.span else 0}: {each.message}" for each in caught.value.problems]


def test_routes_and_fixed_answers_outside_the_contract_are_refused(tmp_path: Path) -> None:
    assert problems(tmp_path, CONTRACT) == [
        "7: the answer is outside scoring.openapi.yaml: answer.label: 1 is not of type 'string'",
        "8: scoring.openapi.yaml knows no POST /v1/scroe",
        "9: the answer is outside scoring.openapi.yaml: Unknown response http status: 404",
    ]


def test_a_contract_with_errors_is_refused(tmp_path: Path) -> None:
    assert problems(tmp_path, CONTRACT.replace("description: busy", "content: {}")) == [
        "5: scoring.openapi.yaml is no OpenAPI contract: line 20, paths./score.post.responses.503: 'description' is a required property"
    ]


def test_a_reference_that_leads_nowhere_is_refused_with_its_line(tmp_path: Path) -> None:
    """Its reader's own text would be the whole contract."""
    assert problems(tmp_path, CONTRACT.replace("schemas/Label", "schemas/Lable")) == [
        "5: scoring.openapi.yaml is no OpenAPI contract: line 18, nothing is at #/components/schemas/Lable"
    ]


def test_an_example_outside_of_its_own_schema_is_refused_where_it_would_be_the_answer(tmp_path: Path) -> None:
    """An operation with a route never uses it."""
    broken = CONTRACT.replace("{label: cat}", "{label: 1}")
    example = "content: {application/json: {schema: {type: object}, example: 7}}"
    broken = broken.replace("content: {application/json: {schema: {type: object}}}", example)
    assert not any("the example" in each for each in problems(tmp_path, broken))
    alone = SCENARIO.replace("/v1/jobs/{id}", "/v1/job/{id}")
    assert (
        "5: the example of GET /v1/jobs/x is outside of scoring.openapi.yaml itself: line 23, answer: 7 is not of type 'object'"
        in problems(tmp_path, broken, alone)
    )
