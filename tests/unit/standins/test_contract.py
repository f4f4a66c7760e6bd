"""Stand-ins that are held to an OpenAPI contract."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from peeklock import PeeklockError
from peeklock.standins.http import HttpStandIn
from peeklock.standins.http.contract import Contract

CONTRACT = """\
openapi: 3.0.3
info: {title: Scoring, version: "1"}
servers: [{url: "https://{region}.example.com/v1", variables: {region: {default: west}}}]
paths:
  /score:
    post:
      parameters: [{name: tenant, in: query, required: true, schema: {type: integer}}]
      requestBody:
        required: true
        content:
          application/json:
            schema: {type: object, required: [job], properties: {job: {type: string}}}
      responses:
        "200":
          description: the label
          content:
            application/json:
              schema: {$ref: "#/components/schemas/Label"}
              examples: {cat: {value: {label: cat}}}
        "503": {description: busy}
  /jobs/{id}:
    delete: {parameters: [{name: id, in: path, required: true, schema: {type: string}}], responses: {"204": {description: gone}}}
    get:
      parameters: [{name: id, in: path, required: true, schema: {type: string}}]
      responses: {"200": {description: a job, content: {application/json: {schema: {type: object}}}}}
components: {schemas: {Label: {type: object, required: [label], properties: {label: {type: string}}}}}
"""
GOOD: dict[str, Any] = {"params": {"tenant": "7"}, "json": {"job": "a"}}


@pytest.fixture
def contract(tmp_path: Path) -> Path:
    file = tmp_path / "scoring.yaml"
    file.write_text(CONTRACT, encoding="utf-8")
    return file


def test_the_examples_answer_what_no_route_does(contract: Path) -> None:
    """Below the path of the server; an answer that has no body needs no example."""
    with HttpStandIn(contract=contract) as it:
        assert httpx.post(f"{it.url}/v1/score", **GOOD).json() == {"label": "cat"}
        assert httpx.delete(f"{it.url}/v1/jobs/7").status_code == 204
        assert [each["contract"] for each in it.requests] == [[], []]


def test_each_request_tells_which_operation_it_is_of(contract: Path) -> None:
    """As the contract writes its path; one that the contract does not know is of none."""
    with HttpStandIn(contract=contract) as it:
        httpx.post(f"{it.url}/v1/score", **GOOD)
        httpx.delete(f"{it.url}/v1/jobs/7")
        assert [each["operation"] for each in it.requests] == ["POST /score", "DELETE /jobs/{id}"]
        it.reset()
        httpx.get(f"{it.url}/v1/nowhere")
        assert "operation" not in it.requests[0]
        it.reset()


def test_a_contract_tells_its_operations_and_their_answers(tmp_path: Path) -> None:
    """Those of a path that is written elsewhere in the file, too, and one that says nothing of its answers."""
    file = tmp_path / "some.yaml"
    file.write_text(
        "openapi: 3.1.0\ninfo: {title: t, version: '1'}\npaths:\n  /a/{id}:\n    $ref: '#/components/pathItems/A'\n"
        "  /b: {parameters: [], head: {}}\ncomponents:\n  pathItems:\n    A:\n"
        "      parameters: [{name: id, in: path, required: true, schema: {type: string}}]\n"
        "      get: {responses: {'200': {description: x}, 4XX: {description: x}, default: {description: x}}}\n",
        encoding="utf-8",
    )
    found = Contract(file)
    assert found.operations() == {"GET /a/{id}": ("200", "4XX", "default"), "HEAD /b": ()}
    assert (found.operation("GET", "/a/7"), found.operation("PUT", "/a/7")) == ("GET /a/{id}", None)


def test_a_route_comes_before_the_examples(contract: Path) -> None:
    with HttpStandIn([{"post": "/v1/score", "respond": {"json": {"label": "dog"}}}], contract=contract) as it:
        assert httpx.post(f"{it.url}/v1/score", **GOOD).json() == {"label": "dog"}


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"json": {}}, "body: 'job' is a required property"),
        ({"json": {"job": 3}}, "body.job: 3 is not of type 'string'"),
        ({"params": {}}, "Missing required query parameter: tenant"),
        ({"params": {"tenant": "x"}}, "Query parameter error: tenant"),
        ({"json": None, "content": b"{"}, "Content for the following mimetype not found"),
    ],
)
def test_a_request_outside_the_contract_is_told_and_refused(contract: Path, change: dict[str, Any], wrong: str) -> None:
    it = HttpStandIn(contract=contract)
    refused = httpx.post(f"{it.url}/v1/score", **{**GOOD, **change})
    it.close()
    assert refused.status_code == 400
    assert wrong in refused.text
    with pytest.raises(PeeklockError, match=f"POST /v1/score 400.*{wrong}"):
        it.check()
    assert len(it.requests[0]["contract"]) == 1, "the refusal itself is the stand-in's, not an answer of the contract's"


@pytest.mark.parametrize(
    ("body", "kind"), [(b"[" * 5000, "application/json"), (b"{}", "x"), (b"\xff", "application/json; charset=none")]
)
def test_a_request_that_cannot_be_read_is_outside_the_contract(contract: Path, body: bytes, kind: str) -> None:
    it = HttpStandIn(contract=contract)
    headers = {"content-type": kind}
    assert httpx.post(f"{it.url}/v1/score?tenant=7", content=body, headers=headers).status_code == 400
    it.close()
    assert it.requests[0]["contract"]


@pytest.mark.parametrize(
    ("answer", "wrong"),
    [
        ({"json": {}}, "answer: 'label' is a required property"),
        ({"json": {"label": 1}}, "answer.label: 1 is not of type 'string'"),
        ({"status": 418}, "Unknown response http status: 418"),
        ({"text": "cat"}, "mimetype not found: text/plain"),
        ({"status": 503}, ""),
    ],
)
def test_an_answer_outside_the_contract_is_told(contract: Path, answer: dict[str, Any], wrong: str) -> None:
    it = HttpStandIn([{"post": "/v1/score", "respond": answer}], contract=contract)
    httpx.post(f"{it.url}/v1/score", **GOOD)
    it.close()
    told = it.requests[0]["contract"]
    assert (wrong in told[0]) if wrong else (told == [])


@pytest.mark.parametrize(
    ("method", "path", "why"),
    [
        ("GET", "/v1/jobs/7", "the contract has no example of it"),
        ("GET", "/score", "the contract of the stand-in knows no GET /score"),
    ],
)
def test_what_neither_routes_nor_contract_answer_is_a_problem(contract: Path, method: str, path: str, why: str) -> None:
    with pytest.raises(PeeklockError, match=why), HttpStandIn(contract=contract) as it:
        assert httpx.request(method, it.url + path).status_code == 404


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("openapi: [", "cannot be read: line 1"),
        ("swagger: '2.0'", "no OpenAPI 3 contract"),
        (
            CONTRACT.replace("#/components", "https://example.com/a.yaml#"),
            "refers to https://example.com/a.yaml#/schemas/Label",
        ),
        ("openapi: 3.0.0\ninfo: {title: a}\npaths: {}", "info: 'version' is a required property"),
    ],
)
def test_a_file_that_is_no_contract_is_refused(contract: Path, text: str, why: str) -> None:
    contract.write_text(text, encoding="utf-8")
    with pytest.raises(PeeklockError, match=why):
        HttpStandIn(contract=contract)


def test_a_multipart_form_is_held_to_the_contract(contract: Path) -> None:
    """Its boundary is read as it is written."""
    form = "multipart/form-data: {schema: {type: object, required: [job], properties: {job: {type: string}}}}"
    old = "application/json:\n            schema: {type: object, required: [job], properties: {job: {type: string}}}"
    assert old in CONTRACT
    contract.write_text(CONTRACT.replace(old, form), encoding="utf-8")
    it = HttpStandIn(contract=contract)
    sent = [{"job": (None, "a")}, {"jib": (None, "a")}]
    headers = {"content-type": "multipart/form-data; boundary=AbC"}
    body = '--AbC\r\ncontent-disposition: form-data; name="{}"\r\n\r\na\r\n--AbC--\r\n'
    told = [
        httpx.post(f"{it.url}/v1/score?tenant=7", content=body.format(*each).encode(), headers=headers) for each in sent
    ]
    it.close()
    assert [each.status_code for each in told] == [200, 400]
    assert "'job' is a required property" in told[1].text
