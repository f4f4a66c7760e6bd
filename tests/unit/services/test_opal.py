"""The parts of OPAL that need nothing: messages, names, settings, the endpoint's client, uploads, pictures."""

from __future__ import annotations

import asyncio
import base64
import io

import httpx
import pytest
from azure.servicebus import ServiceBusMessage, ServiceBusReceivedMessage
from PIL import Image

from fixtures.products.draw import BODY, HOLE_BOX, MARK, PAGE, SIZE, mug
from services.opal.api.settings import ApiSettings
from services.opal.contracts import SCORE_REQUEST
from services.opal.export.pictures import make_variants, remove_background
from services.opal.messages import ItemKey, read_export_message, read_job_message
from services.opal.orchestrator.endpoint import ScoringEndpoint
from services.opal.orchestrator.upload import Uploader
from services.opal.places import output_name, upload_name, variant_name
from services.shared.contracts import ContractViolationError
from services.shared.outcomes import PermanentFailure, TransientFailure
from services.shared.settings import MisconfiguredError, read_settings

ID = "11111111-2222-4333-8444-555555555555"
KEY = ItemKey("acme", ID, ID)
QUESTION = {**KEY.facts, "input_image_sas": "https://a.blob.example/uploads/x.png?sig=s", "prompt": "nordic"}


def png(image: Image.Image) -> bytes:
    written = io.BytesIO()
    image.save(written, "PNG")
    return written.getvalue()


def received(body: str) -> ServiceBusReceivedMessage:
    """A message as the SDK hands it out, without a queue that it came from."""
    return ServiceBusMessage(body.encode())  # type: ignore[return-value]  # body and its type are all that is read


def answering(*answers: httpx.Response | Exception) -> httpx.AsyncClient:
    """A client whose requests are answered so, one after the other."""
    left = list(answers)

    def answer(_request: httpx.Request) -> httpx.Response:
        given = left.pop(0)
        if isinstance(given, Exception):
            raise given
        return given

    return httpx.AsyncClient(base_url="http://aml", transport=httpx.MockTransport(answer))


async def score(*answers: httpx.Response | Exception) -> bytes:
    async with answering(*answers) as client:
        return await ScoringEndpoint(client, patience=5, max_image_pixels=100_000).score(QUESTION)


@pytest.mark.parametrize(
    "body",
    [
        f'{{"kind": "opal-job", "tenant_id": "acme", "job_id": "{ID}", "item_id": "{ID}"}}',
        f'{{"tenant": "acme", "job": "{ID}", "item": "{ID}"}}',
    ],
    ids=["v0.2.1", "v0.2"],
)
def test_a_job_message_of_either_version_names_the_same_item(body: str):
    assert read_job_message(received(body)) == KEY


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ("{}", "kind"),
        (f'{{"kind": "opal-job", "tenant_id": "ACME", "job_id": "{ID}", "item_id": "{ID}"}}', "tenant_id"),
        (f'{{"tenant": "acme", "job": "{ID}", "item": "{ID}", "kind": "opal-job"}}', "kind"),
        (f'{{"tenant": "acme", "item": "{ID}"}}', "job"),
    ],
)
def test_a_job_message_outside_both_versions_is_refused_by_its_field(body: str, field: str):
    with pytest.raises(PermanentFailure, match=field):
        read_job_message(received(body))


def test_an_export_message_is_of_one_version_only():
    with pytest.raises(PermanentFailure, match="kind"):
        read_export_message(received(f'{{"tenant": "acme", "job": "{ID}", "item": "{ID}"}}'))


def test_every_blob_of_an_item_lies_under_its_tenant():
    names = (upload_name(KEY, "mug.png"), output_name(KEY), variant_name(KEY, "web", "jpg"))
    assert all(name.startswith(f"acme/{ID}/{ID}") for name in names)
    assert len(set(names)) == 3


@pytest.mark.parametrize("keys", ["acme", "acme=", "ACME=k", "acme=k,globex=k", ","])
def test_tenant_keys_that_cannot_be_told_apart_stop_the_start(keys: str, monkeypatch: pytest.MonkeyPatch):
    for name in ("AZURE_SERVICEBUS_CONNECTION_STRING", "AZURE_STORAGE_CONNECTION_STRING", "DATABASE_URL"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("TENANT_KEYS", keys)
    with pytest.raises(MisconfiguredError, match="TENANT_KEYS") as told:
        read_settings(ApiSettings, "opal-api")
    assert "=k" not in str(told.value)


def test_a_tenant_may_have_two_keys(monkeypatch: pytest.MonkeyPatch):
    for name in ("AZURE_SERVICEBUS_CONNECTION_STRING", "AZURE_STORAGE_CONNECTION_STRING", "DATABASE_URL"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("TENANT_KEYS", "acme=old, acme=new,globex=k")
    assert read_settings(ApiSettings, "opal-api").tenants == {"old": "acme", "new": "acme", "k": "globex"}


async def scored(answer: httpx.Response | Exception) -> str:
    """How an answer ends: the kind of failure and what it says."""
    with pytest.raises((TransientFailure, PermanentFailure)) as failure:
        await score(answer)
    return f"{type(failure.value).__name__} {failure.value}"


@pytest.mark.parametrize("status", [401, 404, 408, 429, 500, 503])
def test_what_the_endpoint_says_of_itself_may_be_mended(status: int):
    assert asyncio.run(scored(httpx.Response(status))) == f"TransientFailure the AML endpoint answered {status}"


@pytest.mark.parametrize(("status", "ends"), [("422", "PermanentFailure"), ("500", "TransientFailure")])
def test_what_the_model_says_is_final_when_it_is_about_the_picture(status: str, ends: str):
    headers = {"ms-azureml-model-error-statuscode": status, "ms-azureml-model-error-reason": "no product"}
    told = asyncio.run(scored(httpx.Response(424, headers=headers)))
    assert told.startswith(ends)
    assert f"the model answered {status}: no product" in told


@pytest.mark.parametrize("body", ["<html>", "[]", '{"meta": {}}', '{"image_bytes_b64": "aGk=", "meta": {}}'])
def test_an_answer_outside_the_contract_is_final(body: str):
    assert asyncio.run(scored(httpx.Response(200, text=body))).startswith("PermanentFailure AnswerInvalid")


def test_a_picture_comes_through_as_it_was_made():
    made = png(mug())
    answer = {"image_bytes_b64": base64.b64encode(made).decode(), "meta": {}}
    assert asyncio.run(score(httpx.Response(200, json=answer))) == made


def test_a_question_without_a_signature_breaks_the_contract():
    with pytest.raises(ContractViolationError, match="input_image_sas"):
        SCORE_REQUEST.check({**QUESTION, "input_image_sas": "https://a.blob.example/uploads/x.png"})


async def put(*answers: httpx.Response | Exception) -> None:
    async with answering(*answers) as client:
        await Uploader(client, attempts=3, pause=0, longest=0).put("http://blobs/x?sig=s", b"x", "image/png")


def test_an_upload_succeeds_at_its_third_attempt():
    asyncio.run(put(httpx.Response(503), httpx.ConnectError("refused"), httpx.Response(201)))


def test_an_upload_has_no_fourth_attempt():
    with pytest.raises(TransientFailure, match="3 times, last: HTTP 503"):
        asyncio.run(put(*(httpx.Response(503) for _ in range(3))))


@pytest.mark.parametrize("status", [409, 412])
def test_what_was_uploaded_before_stays(status: int):
    asyncio.run(put(httpx.Response(503), httpx.Response(status)))


def test_an_upload_that_is_refused_is_not_repeated():
    with pytest.raises(TransientFailure, match="refuses the upload: HTTP 403"):
        asyncio.run(put(httpx.Response(403)))


def test_the_background_goes_and_the_hole_stays():
    cutout = remove_background(mug())
    hole = (HOLE_BOX[0] + 5, HOLE_BOX[1] + 5)
    assert cutout.getpixel((0, 0)) == (*PAGE, 0)
    assert [cutout.getpixel(place) for place in ((30, 60), (90, 90), hole)] == [
        (*MARK, 255),
        (*BODY, 255),
        (*PAGE, 255),
    ]


def test_a_picture_of_nothing_but_background_is_all_clear():
    alpha = remove_background(Image.new("RGB", (40, 30), PAGE)).getchannel("A")
    assert alpha.getextrema() == (0, 0)


def test_each_variant_has_its_own_size():
    sizes = {each.name: (each.width, each.height) for each in make_variants(png(mug()), max_pixels=100_000)}
    width, height = SIZE
    twice = (2 * width, 2 * height)
    assert sizes == {"cutout": SIZE, "upscaled": twice, "web": twice, "thumbnail": (200, 200)}


def test_a_large_picture_is_bounded_on_the_web():
    web = next(
        each for each in make_variants(png(mug().resize((1600, 900))), max_pixels=2_000_000) if each.name == "web"
    )
    assert (web.width, web.height) == (1200, 675)


def test_the_same_picture_gives_the_same_bytes():
    first, second = (make_variants(png(mug()), max_pixels=100_000) for _ in range(2))
    assert [each.sha256 for each in first] == [each.sha256 for each in second]
