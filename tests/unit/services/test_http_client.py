from __future__ import annotations

from typing import Any

import httpx
import pytest

from services.shared.http_client import http_client


@pytest.mark.parametrize(
    ("base_url", "verified"), [("https://api", True), ("HTTPS://api", True), ("", True), ("http://api", False)]
)
def test_certificates_are_verified_wherever_there_can_be_tls(
    monkeypatch: pytest.MonkeyPatch, base_url: str, verified: bool
) -> None:
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr(httpx, "AsyncClient", lambda **options: asked.append(options))
    http_client(1.0, base_url)
    assert [options["verify"] for options in asked] == [verified]
