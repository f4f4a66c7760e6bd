"""Where endpoints are, and where they are seen through a relay."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from peeklock.stack.backend import Endpoints

_PORT = {
    "postgres": re.compile(r"(?<=@127\.0\.0\.1:)\d+"),
    "blobs": re.compile(r"(?<=BlobEndpoint=http://127\.0\.0\.1:)\d+"),
    "servicebus": re.compile(r"(?<=Endpoint=sb://127\.0\.0\.1:)\d+"),
}
_HTTP_PORT = re.compile(r"(?<=http://127\.0\.0\.1:)\d+")
_SECRET = re.compile(r"(?:(?<=AccountKey=)|(?<=SharedAccessKey=))[^;]+|(?<=:)[^:/@]+(?=@127\.0\.0\.1:)")


def blobs_port(endpoints: Endpoints) -> int:
    """Return the port of blobs alone: the door asks for it with each request. Raises `LookupError` when there is none."""
    found = _PORT["blobs"].search(endpoints.blobs_connection_string or "")
    if found is None:
        raise LookupError("the environment has no blobs")
    return int(found[0])


def addresses(endpoints: Endpoints) -> dict[str, int]:
    """Return the port of each dependency that is there."""
    return {
        kind: int(found[0])
        for kind, text in _texts(endpoints).items()
        if (found := _PORT.get(kind, _HTTP_PORT).search(text or ""))
    }


def through(endpoints: Endpoints, ports: Mapping[str, int]) -> Endpoints:
    """Return the endpoints with the `ports` of a relay in the place of their own."""

    def seen(kind: str, text: str) -> str:
        return _PORT.get(kind, _HTTP_PORT).sub(str(ports[kind]), text) if kind in ports else text

    replaced = {kind: None if text is None else seen(kind, text) for kind, text in _texts(endpoints).items()}
    return replace(
        endpoints,
        postgres_url=replaced["postgres"],
        blobs_connection_string=replaced["blobs"],
        servicebus_connection_string=replaced["servicebus"],
        openai_url=replaced["openai"],
        http_urls={name: seen(name, url) for name, url in endpoints.http_urls.items()},
        access_rules={name: seen("servicebus", text) for name, text in endpoints.access_rules.items()},
        service_connection_strings={
            name: seen("servicebus", text) for name, text in endpoints.service_connection_strings.items()
        },
    )


def secrets(endpoints: Endpoints) -> set[str]:
    """Return every key and password in the endpoints."""
    texts = [
        *_texts(endpoints).values(),
        *endpoints.access_rules.values(),
        *endpoints.service_connection_strings.values(),
    ]
    keys = {key for of in (endpoints.openai_keys, *endpoints.http_keys.values()) for key in of.values()}
    return {found for text in texts if text for found in _SECRET.findall(text)} | keys


def _texts(endpoints: Endpoints) -> dict[str, str | None]:
    return {
        "postgres": endpoints.postgres_url,
        "blobs": endpoints.blobs_connection_string,
        "servicebus": endpoints.servicebus_connection_string,
        "openai": endpoints.openai_url,
        **endpoints.http_urls,
    }
