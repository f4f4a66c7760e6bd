from __future__ import annotations

import ssl
from typing import Any

import httpx
import pytest

from services.shared.http_client import http_client


def _trust(monkeypatch: pytest.MonkeyPatch, base_url: str) -> Any:
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr(httpx, "AsyncClient", lambda **options: asked.append(options))
    http_client(1.0, base_url)
    return asked[0]["verify"]


@pytest.mark.parametrize("base_url", ["https://api", "HTTPS://api", ""])
def test_certificates_are_verified_wherever_there_can_be_tls(monkeypatch: pytest.MonkeyPatch, base_url: str) -> None:
    trust = _trust(monkeypatch, base_url)
    assert trust.get_ca_certs()
    assert (trust.verify_mode, trust.check_hostname) == (ssl.CERT_REQUIRED, True)


@pytest.mark.parametrize("base_url", ["http://api", "HTTP://api"])
def test_a_client_of_a_plain_address_trusts_nobody(monkeypatch: pytest.MonkeyPatch, base_url: str) -> None:
    """No authority is loaded, and if it is sent to an address with TLS after all, it refuses."""
    trust = _trust(monkeypatch, base_url)
    assert trust.get_ca_certs() == []
    assert (trust.verify_mode, trust.check_hostname) == (ssl.CERT_REQUIRED, True)
