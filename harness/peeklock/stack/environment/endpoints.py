"""The endpoints of an environment: what it offers, at which ports, and where these are seen through a relay."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from peeklock.connection_strings import parts_of
from peeklock.scenario.services import process_names
from peeklock.stack.backend import Endpoints, EnvironmentSpec
from peeklock.stack.environment.doors import BLOBS
from peeklock.stack.environment.host_stack import HostStack
from peeklock.stack.environment.record import Record
from peeklock.stack.servers.servicebus import ROOT_RULE, service_rule

if TYPE_CHECKING:
    from peeklock.stack.identities import Identities

_PORT = {
    "postgres": re.compile(r"(?<=@127\.0\.0\.1:)\d+"),
    "blobs": re.compile(r"(?<=BlobEndpoint=http://127\.0\.0\.1:)\d+"),
    "servicebus": re.compile(r"(?<=Endpoint=sb://127\.0\.0\.1:)\d+"),
}
_HTTP_PORT = re.compile(r"(?<=http://127\.0\.0\.1:)\d+")
_SECRET = re.compile(r"(?:(?<=AccountKey=)|(?<=SharedAccessKey=))[^;]+|(?<=:)[^:/@]+(?=@127\.0\.0\.1:)")


def endpoints_of(
    spec: EnvironmentSpec, record: Record, host: HostStack, identities: Identities | None, *, planned: bool
) -> Endpoints:
    """Return what an environment offers. `planned`: at Azurite's planned port, which it may not have got."""
    stack, port = spec.stack, record.namespace_port
    blobs = postgres = bus = None
    rules, own, queues = {}, {}, {}
    containers: dict[str, str] = {}
    if stack.blobs is not None:
        blobs, containers = host.planned_blobs(record.slot, stack.blobs.containers)
        if not planned:
            blobs = host.servers.blobs().connection_string(record.slot)
    if stack.postgres is not None:
        postgres = host.servers.postgres().url(record.database)
    if stack.servicebus is not None and port is not None:
        server = host.servers.servicebus()
        by_rule = {rule: server.connection_string(port, rule, key) for rule, key in record.keys.items()}
        queues = {name: server.name_of(record.namespace, name) for name in stack.servicebus.queues}
        bus = by_rule[ROOT_RULE]
        rules = {name: by_rule[name] for name in stack.servicebus.access_rules}
        of = {name: by_rule.get(service_rule(name)) for name in process_names(spec.services)}
        own = {name: found for name, found in of.items() if found is not None}
    account = (stack.blobs.name if stack.blobs is not None else None) or parts_of(blobs or "").get("AccountName")
    door, standins = record.door_ports.get(BLOBS), record.standin_ports
    return Endpoints(
        postgres,
        blobs,
        bus,
        rules,
        own,
        blobs_https_url=None if door is None else f"https://127.0.0.1:{door}/{account}",
        openai_url=f"http://127.0.0.1:{standins['openai']}" if "openai" in standins else None,
        openai_keys=dict(record.standin_keys),
        http_urls={name: f"http://127.0.0.1:{standins[name]}" for name in stack.http},
        http_tls_urls={name: f"https://127.0.0.1:{at}" for name, at in record.door_ports.items() if name in stack.http},
        http_keys=record.http_keys,
        queues=queues,
        containers=containers,
        identities={} if identities is None else identities.facts(),
    )


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


def through(endpoints: Endpoints, relay_ports: Mapping[str, Mapping[str, int]]) -> Endpoints:
    """Return the endpoints with the ports of a relay in the place of their own, as a `Record` has them."""
    ports = {kind: doors[""] for kind, doors in relay_ports.items()}

    def seen(kind: str, text: str) -> str:
        return _PORT.get(kind, _HTTP_PORT).sub(str(ports[kind]), text) if kind in ports else text

    replaced = {kind: None if text is None else seen(kind, text) for kind, text in _texts(endpoints).items()}
    return replace(
        endpoints,
        postgres_url=replaced["postgres"],
        service_postgres_urls={
            name: _PORT["postgres"].sub(str(port), endpoints.postgres_url)
            for name, port in relay_ports.get("postgres", {}).items()
            if name and endpoints.postgres_url is not None
        },
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
