from __future__ import annotations

import ssl
from typing import Any

import pytest
from azure.servicebus.aio import ServiceBusClient

from services.shared import tls
from services.shared.publisher import servicebus_client

KEY = "SharedAccessKeyName=app;SharedAccessKey=a2V5"


@pytest.fixture
def trusts(monkeypatch: pytest.MonkeyPatch) -> list[ssl.SSLContext]:
    """What the client that is made is told to trust."""
    found: list[ssl.SSLContext] = []

    def made(*_arguments: Any, ssl_context: ssl.SSLContext, **_options: Any) -> None:
        found.append(ssl_context)

    monkeypatch.setattr(ServiceBusClient, "from_connection_string", made)
    monkeypatch.setattr(ServiceBusClient, "__init__", made)
    return found


def test_all_connections_to_azure_have_one_context_that_verifies(trusts: list[ssl.SSLContext]) -> None:
    servicebus_client(f"Endpoint=sb://shop.servicebus.windows.net/;{KEY}")
    servicebus_client(namespace="shop", credential=object())  # type: ignore[arg-type]  it is not looked at
    assert trusts[0] is trusts[1]
    assert trusts[0].get_ca_certs()
    assert (trusts[0].verify_mode, trusts[0].check_hostname) == (ssl.CERT_REQUIRED, True)


def test_a_client_of_an_emulator_trusts_nobody(trusts: list[ssl.SSLContext]) -> None:
    servicebus_client(f"Endpoint=sb://localhost;{KEY};UseDevelopmentEmulator=true;")
    assert trusts[0].get_ca_certs() == []
    assert (trusts[0].verify_mode, trusts[0].check_hostname) == (ssl.CERT_REQUIRED, True)


def test_protocols_do_not_share_a_context() -> None:
    """Each writes the protocols that it offers into its own."""
    assert tls.authorities("amqp") is not tls.authorities("http")
