"""The parts of DefectIQ that need nothing: settings, contracts, and the eye that stands in for the model."""

from __future__ import annotations

import asyncio
import importlib.util
import io
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.servicebus.exceptions import ServiceBusAuthorizationError
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fixtures.blades.draw import STORED, Notch, blade, kind_of
from services.defectiq.api.settings import ApiSettings
from services.defectiq.contracts import ARTIFACT, FINDINGS
from services.defectiq.grants import BLOBS, SENDER, GrantMissingError, needs, told
from services.defectiq.moment import moment
from services.defectiq.worker.inspector import strict
from services.defectiq.worker.settings import WorkerSettings
from services.shared.contracts import ContractViolationError
from services.shared.health import Check
from services.shared.settings import MisconfiguredError, read_settings

ROOT = Path(__file__).parents[3]
BUS = "Endpoint=sb://localhost;SharedAccessKeyName=n;SharedAccessKey=S3cret"


def _eye() -> Any:
    spec = importlib.util.spec_from_file_location("eye", ROOT / "scenarios" / "defectiq" / "model.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


EYE = _eye()


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in (*ApiSettings.model_fields, *WorkerSettings.model_fields):
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("API_KEY", "key")
    monkeypatch.setenv("AZURE_AI_PROJECT_ENDPOINT", "https://ai.example")
    return monkeypatch


def test_names_are_enough_to_reach_azure(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("AZURE_STORAGE_ACCOUNT", "defectiq4852854")
    environment.setenv("AZURE_SERVICEBUS_NAMESPACE", "defectiq-sb-96027")
    assert read_settings(WorkerSettings, "worker").azure_servicebus_connection_string is None


def test_neither_a_name_nor_a_connection_string_is_told(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("AZURE_SERVICEBUS_CONNECTION_STRING", BUS)
    with pytest.raises(MisconfiguredError, match="AZURE_STORAGE_ACCOUNT or AZURE_STORAGE_CONNECTION_STRING"):
        read_settings(WorkerSettings, "worker")


def test_a_name_that_is_an_address_is_told(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("AZURE_STORAGE_ACCOUNT", "https://defectiq.blob.core.windows.net")
    with pytest.raises(MisconfiguredError, match="AZURE_STORAGE_ACCOUNT"):
        read_settings(ApiSettings, "api")


@pytest.mark.parametrize("origins", ["*", "https://one.example, *"])
def test_origins_cannot_be_a_wildcard(environment: pytest.MonkeyPatch, origins: str) -> None:
    environment.setenv("CORS_ORIGINS", origins)
    with pytest.raises(MisconfiguredError, match="CORS_ORIGINS"):
        read_settings(ApiSettings, "api")


@given(at=st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)), hours=st.integers(-12, 12))  # noqa: DTZ001
def test_one_moment_has_one_spelling_wherever_it_is_told(at: datetime, hours: int) -> None:
    there = at.replace(tzinfo=UTC).astimezone(timezone(timedelta(hours=hours)))
    assert moment(there) == moment(at) == f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"


def _keywords(schema: Any) -> set[str]:
    if isinstance(schema, dict):
        return set(schema) | {word for value in schema.values() for word in _keywords(value)}
    return {word for item in schema for word in _keywords(item)} if isinstance(schema, list) else set()


def test_the_model_is_asked_in_words_that_strict_output_knows() -> None:
    """Azure OpenAI refuses a schema with bounds or conditions, and one whose objects are open."""
    asked = strict(FINDINGS)
    assert not _keywords(asked) & {"if", "then", "else", "minimum", "maximum", "maxItems", "maxLength"}
    assert asked["additionalProperties"] is False
    assert set(asked["required"]) == set(asked["properties"])


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"confidence": 1.2}, "confidence"),
        ({"defect_type": None}, "defect_type"),
        ({"bounding_boxes": []}, "bounding_boxes"),
        ({"defect_detected": False}, "bounding_boxes"),
    ],
)
def test_findings_that_contradict_themselves_break_the_contract(changes: dict[str, Any], field: str) -> None:
    artifact = {
        "image_id": "3f1d2c5e-0000-4000-8000-000000000001",
        "timestamps": {"ingested_at": "2026-01-31T12:00:00.000Z", "processed_at": "2026-01-31T12:00:00.000Z"},
        "metadata": {
            "product_sku": "WK-KN-200",
            "facility": "yangjiang",
            "source_blob": {"container": "raw-images", "blob_name": "x.png"},
            "content_type": "image/png",
            "extra": {},
        },
        "defect_findings": {**_look(Notch(200, 24, 5)), **changes},
        "model_version": "gpt-5.2",
    }
    with pytest.raises(ContractViolationError, match=rf"defect_findings\.{field}"):
        ARTIFACT.check(artifact)


def _look(*notches: Notch, kind: str = "PNG") -> dict[str, Any]:
    found: dict[str, Any] = EYE.look({"images": [{"data": blade(*notches, kind=kind)}]})
    return found


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@given(x=st.integers(80, 300), width=st.integers(8, 60), depth=st.integers(5, 30))
def test_a_notch_is_found_where_it_is(kind: str, x: int, width: int, depth: int) -> None:
    (box,) = _look(Notch(x, width, depth), kind=kind)["bounding_boxes"]
    assert abs(box["x"] - x) <= 2
    assert abs(box["width"] - width) <= 4
    assert depth - 1 <= box["height"] <= depth + 4


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_sound_edge_has_no_defect(kind: str) -> None:
    assert _look(kind=kind)["defect_detected"] is False


@pytest.mark.parametrize("name", STORED)
def test_the_stored_blades_are_as_they_are_drawn(name: str) -> None:
    drawn = Image.open(io.BytesIO(blade(*STORED[name], kind=kind_of(name)))).convert("RGB")
    stored = Image.open(ROOT / "fixtures" / "blades" / name).convert("RGB")
    assert drawn.tobytes() == stored.tobytes()


def _forbidden(status: int) -> HttpResponseError:
    error = HttpResponseError("no")
    error.status_code = status
    return error


@pytest.mark.parametrize("error", [_forbidden(401), _forbidden(403), ServiceBusAuthorizationError()])
def test_a_refusal_names_the_role_and_what_it_is_missing_on(error: Exception) -> None:
    async def check() -> None:
        raise error

    with pytest.raises(GrantMissingError, match="grant 'Azure Service Bus Data Sender' on defect-jobs"):
        asyncio.run(_awaited(needs(SENDER, "defect-jobs", check)))


def test_what_is_no_refusal_is_told_as_it_is() -> None:
    async def check() -> None:
        raise error

    error = _forbidden(503)
    with pytest.raises(HttpResponseError) as caught:
        asyncio.run(_awaited(needs(BLOBS, "the storage account", check)))
    assert caught.value is error
    assert told(error, BLOBS, "the storage account") == "HttpResponseError"


async def _awaited(check: Check) -> None:
    await check()
