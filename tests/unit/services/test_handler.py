"""From a message to its result, with everything outside the worker replaced."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import httpx
import pytest
from azure.servicebus import ServiceBusReceivedMessage
from azure.servicebus.amqp import AmqpMessageBodyType
from PIL import Image

from fixtures.factories import Factory
from services.intellioptics.contracts import INFERENCE_RESULT
from services.intellioptics.worker.detector_directory import DetectorDirectory
from services.intellioptics.worker.handler import ImageQueryHandler
from services.intellioptics.worker.model import Detection, LoadedModel
from services.intellioptics.worker.query_directory import QueryDirectory
from services.shared.download import Downloader
from services.shared.outcomes import PermanentFailure, TransientFailure
from services.shared.publisher import Publisher, PublishError

CUTOVER = datetime(2025, 11, 1, tzinfo=UTC)
UUID_ID = "7f3c2b1a-9d4e-4c6f-8a2b-0e1d2c3b4a59"
PHOTO = Factory(1).drawing()


class SeesOne:
    labels = ("person",)
    side = 320

    def detect(self, image: Image.Image) -> list[Detection]:
        return [Detection("person", 0.9, (0, 0, *image.size))]


class Results:
    def __init__(self) -> None:
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self.is_down = False

    async def send(self, body: dict[str, Any], *, message_id: str, subject: str) -> None:
        if self.is_down:
            raise PublishError("inference-results: gone")
        self.sent.append((message_id, body))


@dataclass
class World:
    """What the worker meets outside: the API, storage, the clock and the results queue."""

    detector_status: int = 200
    detector: dict[str, Any] = field(
        default_factory=lambda: {"id": "det_1", "query": "Any person?", "confidence_threshold": 0.5, "status": "active"}
    )
    blob_status: int = 200
    blob: bytes = PHOTO
    now: datetime = CUTOVER
    results: Results = field(default_factory=Results)
    api_error: Exception | None = None
    query: dict[str, Any] = field(default_factory=dict)
    """What the API knows of the query; empty: nothing."""

    def api(self, request: httpx.Request) -> httpx.Response:
        if self.api_error:
            raise self.api_error
        if "/image-queries/" in request.url.path:
            return httpx.Response(200 if self.query else 404, json=self.query)
        return httpx.Response(self.detector_status, json=self.detector)

    def storage(self, _request: httpx.Request) -> httpx.Response:
        return httpx.Response(self.blob_status, content=self.blob)

    def handle(self, body: bytes | None = None, **changes: Any) -> dict[str, Any] | None:
        """Hand the worker one message; return the result it published, if any."""
        document = Factory(1).image_query("det_1", "http://storage/images/a.jpg?sr=b&sig=S3cret", **changes)
        message = Message(json.dumps(document).encode() if body is None else body)

        async def run() -> None:
            api, storage = (httpx.MockTransport(answer) for answer in (self.api, self.storage))
            with ThreadPoolExecutor(1) as executor:
                async with (
                    httpx.AsyncClient(transport=api, base_url="http://api") as api_client,
                    httpx.AsyncClient(transport=storage) as storage_client,
                ):
                    handler = ImageQueryHandler(
                        detectors=DetectorDirectory(api_client),
                        queries=QueryDirectory(api_client),
                        downloader=Downloader(storage_client, 1_000_000, timeout=5, pauses=()),
                        model=LoadedModel(SeesOne(), "model.onnx:abc"),
                        results=cast("Publisher", self.results),
                        executor=executor,
                        now=lambda: self.now,
                        cutover=CUTOVER,
                        presence_cutoff=0.5,
                        max_image_pixels=1_000_000,
                        remembered=timedelta(minutes=10),
                    )
                    await handler(cast("ServiceBusReceivedMessage", message))

        asyncio.run(run())
        if not self.results.sent:
            return None
        message_id, result = self.results.sent[-1]
        assert message_id == result["image_query_id"]
        return INFERENCE_RESULT.check(result)


@dataclass
class Message:
    data: bytes
    enqueued_time_utc: datetime = CUTOVER
    body_type = AmqpMessageBodyType.DATA

    @property
    def body(self) -> list[bytes]:
        return [self.data]


def test_a_query_is_answered_by_a_result_under_its_own_id() -> None:
    result = World().handle(image_query_id="iq_7")
    assert result is not None
    assert {**result, "latency_ms": 0} == {
        "image_query_id": "iq_7",
        "answer": "YES",
        "confidence": 0.9,
        "latency_ms": 0,
        "model_version": "model.onnx:abc",
    }


def test_the_same_message_twice_gives_the_same_message_id_twice() -> None:
    world = World()
    world.handle(image_query_id="iq_7")
    world.handle(image_query_id="iq_7")
    assert [message_id for message_id, _ in world.results.sent] == ["iq_7", "iq_7"]


@pytest.mark.parametrize(
    ("world", "reason"),
    [
        (World(blob_status=403), "download_failed"),
        (World(blob_status=404), "download_failed"),
        (World(blob_status=401), "download_failed"),
        (World(blob=b"x" * 2_000_000), "download_failed"),
        (World(blob=b""), "no_image"),
        (World(blob=b"\0" * 100), "no_image"),
        (World(blob=PHOTO[: len(PHOTO) // 2]), "no_image"),
        (World(detector_status=404), "detector_not_found"),
        (
            World(detector={"id": "d", "query": "q", "confidence_threshold": 1, "status": "disabled"}),
            "detector_not_found",
        ),
    ],
)
def test_what_can_never_be_answered_is_settled_with_a_reason(world: World, reason: str) -> None:
    result = world.handle()
    assert result is not None
    assert (result["answer"], result["confidence"], result["reason"]) == ("UNCLEAR", 0.0, reason)


@pytest.mark.parametrize(
    "world",
    [
        World(blob_status=503),
        World(detector_status=500),
        World(detector_status=401),
        World(detector={"id": "det_1"}),
        World(api_error=httpx.ConnectError("refused")),
        World(api_error=httpx.ReadTimeout("slow")),
    ],
)
def test_what_may_pass_is_left_to_another_delivery(world: World) -> None:
    with pytest.raises(TransientFailure):
        world.handle()
    assert world.results.sent == []


def test_a_result_that_is_not_accepted_is_left_to_another_delivery() -> None:
    world = World()
    world.results.is_down = True
    with pytest.raises(TransientFailure, match="the result was not accepted"):
        world.handle()


@pytest.mark.parametrize(
    ("changes", "field_name"),
    [
        ({"kind": None}, "kind"),
        ({"blob_url": "http://storage/images/a.jpg?sr=c&sig=S3cret"}, "blob_url"),
        ({"body": b"not json"}, "body"),
    ],
)
def test_a_message_outside_the_contract_is_a_permanent_failure_that_names_the_field(
    changes: dict[str, Any], field_name: str
) -> None:
    with pytest.raises(PermanentFailure) as caught:
        World().handle(**changes)
    assert caught.value.reason == "ContractViolation"
    assert f"{field_name}: " in caught.value.description
    assert "S3cret" not in caught.value.description


@pytest.mark.parametrize(
    ("days", "reason"), [(0, None), (13.99, None), (14, "detector_not_found"), (400, "detector_not_found")]
)
def test_a_bare_uuid_is_understood_for_14_days_after_the_cut_over(days: float, reason: str | None) -> None:
    result = World(now=CUTOVER + timedelta(days=days)).handle(detector_id=UUID_ID)
    assert result is not None
    assert result.get("reason") == reason


def test_a_failed_download_is_logged_with_its_status_and_without_the_signature(
    events: list[dict[str, object]],
) -> None:
    World(blob_status=403).handle()
    (event,) = [event for event in events if event["event"] == "image.download_failed"]
    assert (event["status"], event["url"]) == (403, "http://storage/images/a.jpg")
    assert "S3cret" not in str(events)


def test_what_the_results_queue_has_forgotten_is_not_sent_again() -> None:
    """The API has the answer by then; the queue would take a second one for a new message."""
    world = World(now=CUTOVER + timedelta(minutes=11), query={"status": "DONE", "answer": "YES"})
    assert world.handle(image_query_id="iq_7") is None


@pytest.mark.parametrize("query", [{}, {"status": "QUEUED"}, {"status": "DONE", "reason": "unavailable"}])
def test_what_has_no_answer_is_answered_however_late(query: dict[str, Any]) -> None:
    """Unknown to the API, not answered yet, or given up before."""
    world = World(now=CUTOVER + timedelta(minutes=11), query=query)
    assert world.handle(image_query_id="iq_7") is not None
