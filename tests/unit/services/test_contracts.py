from __future__ import annotations

import json
from typing import Any

import pytest

from services.intellioptics.contracts import IMAGE_QUERY, INFERENCE_RESULT
from services.shared.contracts import ContractViolationError

QUERY: dict[str, Any] = {
    "kind": "image-query",
    "image_query_id": "iq_1",
    "detector_id": "det_1",
    "blob_url": "https://account.example/images/a.jpg?sr=b&sp=r&sig=S3cret",
}
RESULT: dict[str, Any] = {
    "image_query_id": "iq_1",
    "answer": "YES",
    "confidence": 0.92,
    "latency_ms": 2311,
    "model_version": "centerface.onnx:e4e7de3068cc",
}


def _problem(contract: Any, document: Any) -> str:
    with pytest.raises(ContractViolationError) as caught:
        contract.check(document)
    return str(caught.value)


@pytest.mark.parametrize(
    "extra",
    [
        {},
        {"content_type": "image/jpeg", "size": 66176, "timeout": 30, "metadata": {"source": "e2e"}},
        {"detector_id": "7f3c2b1a-9d4e-4c6f-8a2b-0e1d2c3b4a59"},
        {"blob_url": "http://127.0.0.1:10000/account/images/a.jpg"},
        {"added_by_a_later_release": True},
    ],
)
def test_an_image_query_that_keeps_the_contract_passes(extra: dict[str, Any]) -> None:
    assert IMAGE_QUERY.check(QUERY | extra) == QUERY | extra


@pytest.mark.parametrize("field", ["kind", "image_query_id", "detector_id", "blob_url"])
def test_a_missing_field_is_named(field: str) -> None:
    document = {key: value for key, value in QUERY.items() if key != field}
    assert _problem(IMAGE_QUERY, document) == f"image_query: {field}: is required"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"kind": "job"}, 'kind: must be "image-query"'),
        ({"image_query_id": 7}, "image_query_id: must be string, not integer"),
        ({"image_query_id": "7"}, "image_query_id: must be 'iq_'"),
        ({"detector_id": "front gate"}, "detector_id: must be a detector id"),
        ({"blob_url": "ftp://x/y?sig=S3cret"}, "blob_url: must be the http(s) URL of one blob"),
        ({"size": -1}, "size: breaks minimum 0"),
        ({"metadata": []}, "metadata: must be object, not array"),
    ],
)
def test_a_failing_field_is_named_and_its_value_is_not_shown(change: dict[str, Any], problem: str) -> None:
    said = _problem(IMAGE_QUERY, QUERY | change)
    assert problem in said
    assert "S3cret" not in said


@pytest.mark.parametrize("scope", ["sr=c", "sr=d", "ss=b&srt=o", "srt=sco&ss=bfqt"])
def test_a_sas_that_opens_more_than_the_object_violates_the_contract(scope: str) -> None:
    url = f"https://account.example/images/a.jpg?sv=1&{scope}&sp=r&sig=S3cret"
    assert "blob_url: must bear an object SAS (sr=b)" in _problem(IMAGE_QUERY, QUERY | {"blob_url": url})


def test_all_failing_fields_are_named_together() -> None:
    said = _problem(IMAGE_QUERY, {"kind": 1})
    assert all(f"{field}: " in said for field in QUERY)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "body: is empty"),
        (b"{nope", "body: is not JSON (line 1, column 2)"),
        (b"\xff\xfe", "body: is not"),
        (b"[]", "body: must be object, not array"),
        (b"[" * 100_000, "body: is "),
    ],
)
def test_a_body_that_is_no_document_is_a_violation_of_the_body(body: bytes, problem: str) -> None:
    with pytest.raises(ContractViolationError) as caught:
        IMAGE_QUERY.parse(body)
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"answer": "COUNT", "count": 0},
        {"answer": "UNCLEAR", "confidence": 0, "reason": "no_image"},
    ],
)
def test_a_result_that_keeps_the_contract_passes(change: dict[str, Any]) -> None:
    document = RESULT | change
    assert INFERENCE_RESULT.parse(json.dumps(document).encode()) == document


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"answer": "MAYBE"}, "answer: must be one of"),
        ({"answer": "COUNT"}, "count: is required"),
        ({"count": 3}, "count: belongs to answer COUNT only"),
        ({"reason": "no_image"}, 'answer: must be "UNCLEAR"'),
        ({"reason": "tired"}, "reason: must be one of"),
        ({"confidence": 1.1}, "confidence: breaks maximum 1"),
        ({"model_version": "centerface"}, "model_version: must be '<model file name>:<its revision>'"),
        ({"colour": "red"}, "colour: is not part of the contract"),
    ],
)
def test_a_result_outside_the_contract_is_told_by_field(change: dict[str, Any], problem: str) -> None:
    assert problem in _problem(INFERENCE_RESULT, RESULT | change)
