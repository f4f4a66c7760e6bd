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


def problems(folder: Path, contract: str) -> list[str]:
    (folder / "scoring.openapi.yaml").write_text(contract, encoding="utf-8")
    (folder / "scoring.yaml").write_text(SCENARIO, encoding="utf-8")
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
        "5: scoring.openapi.yaml is no OpenAPI contract: paths./score.post.responses.503: 'description' is a required property"
    ]
