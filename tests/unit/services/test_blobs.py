from __future__ import annotations

import asyncio
import base64
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from services.shared.blobs import Blobs, blob_service

KEY = base64.b64encode(b"k" * 64).decode()
CONNECTION = f"DefaultEndpointsProtocol=http;AccountName=acc;AccountKey={KEY};BlobEndpoint=http://127.0.0.1:1/acc;"


def _signed(lifetime: timedelta = timedelta(hours=1)) -> str:
    async def sign() -> str:
        async with Blobs(blob_service(CONNECTION), "images") as blobs:
            return blobs.read_url("image-queries/iq_1.jpg", lifetime)

    return asyncio.run(sign())


def test_a_minted_sas_names_one_object_and_only_lets_it_be_read() -> None:
    url = urlsplit(_signed())
    claims = parse_qs(url.query)
    assert url.path == "/acc/images/image-queries/iq_1.jpg"
    assert (claims["sr"], claims["sp"]) == (["b"], ["r"])
    assert not {"ss", "srt", "si", "st"} & set(claims)


def test_a_minted_sas_ends_with_its_lifetime() -> None:
    (expiry,) = parse_qs(urlsplit(_signed(timedelta(minutes=10))).query)["se"]
    left = datetime.fromisoformat(expiry) - datetime.now(UTC)
    assert timedelta(minutes=9) < left <= timedelta(minutes=10)


def test_a_minted_url_does_not_hold_the_account_key() -> None:
    assert KEY not in _signed()


@pytest.mark.parametrize(("purpose", "permissions"), [("create_url", "c"), ("write_url", "cw")])
def test_a_place_for_a_blob_lets_it_be_written_and_nothing_else(purpose: str, permissions: str) -> None:
    async def sign() -> str:
        async with Blobs(blob_service(CONNECTION), "uploads") as blobs:
            return str(getattr(blobs, purpose)("acme/mug.png", timedelta(hours=1)))

    claims = parse_qs(urlsplit(asyncio.run(sign())).query)
    assert (claims["sr"], claims["sp"]) == (["b"], [permissions])
