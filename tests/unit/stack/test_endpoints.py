"""Endpoints through a relay: other ports, and nothing else."""

from __future__ import annotations

from peeklock.stack.backend import Endpoints
from peeklock.stack.environment.endpoints import addresses, secrets, through

ENDPOINTS = Endpoints(
    "postgresql://me:5432@127.0.0.1:5432/env_1",
    "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=5000=;BlobEndpoint=http://127.0.0.1:5000/a;",
    "Endpoint=sb://127.0.0.1:6000;SharedAccessKeyName=root;SharedAccessKey=6000;",
    {"reader": "Endpoint=sb://127.0.0.1:6000;SharedAccessKeyName=reader;SharedAccessKey=k;"},
    {"worker": "Endpoint=sb://127.0.0.1:6000;SharedAccessKeyName=service-worker;SharedAccessKey=k;"},
)


def test_addresses_are_the_ports_of_what_is_there() -> None:
    assert addresses(ENDPOINTS) == {"postgres": 5432, "blobs": 5000, "servicebus": 6000}
    assert addresses(Endpoints()) == {}


def test_only_ports_change() -> None:
    seen = through(
        ENDPOINTS, {"postgres": {"": 1, "worker": 7}, "blobs": {"": 2}, "servicebus": {"": 3}, "api": {"": 4}}
    )
    assert seen.service_postgres_urls == {"worker": "postgresql://me:5432@127.0.0.1:7/env_1"}
    assert seen.postgres_url == "postgresql://me:5432@127.0.0.1:1/env_1"
    assert seen.blobs_connection_string == (
        "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=5000=;BlobEndpoint=http://127.0.0.1:2/a;"
    )
    bus = "Endpoint=sb://127.0.0.1:3;SharedAccessKeyName="
    assert seen.servicebus_connection_string == f"{bus}root;SharedAccessKey=6000;"
    assert seen.access_rules == {"reader": f"{bus}reader;SharedAccessKey=k;"}
    assert seen.service_connection_strings == {"worker": f"{bus}service-worker;SharedAccessKey=k;"}
    assert through(ENDPOINTS, {}) == ENDPOINTS


def test_every_key_and_password_is_known_for_redaction() -> None:
    named = Endpoints(
        "postgresql://me:pa55@127.0.0.1:1/env", ENDPOINTS.blobs_connection_string, None, ENDPOINTS.access_rules
    )
    assert secrets(named) == {"pa55", "5000=", "k"}
