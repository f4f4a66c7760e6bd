"""Which value an environment variable gets: by what it holds in the files of the repository, else by its name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

TOLD = {
    "DATABASE_URL": "${postgres.url}",
    "AZURE_STORAGE_CONNECTION_STRING": "${blobs.connection_string}",
    "AZURE_SERVICEBUS_CONNECTION_STRING": "${servicebus.connection_string}",
    "PORT": "${service.port}",
}
"""Variables that every service is told anyway, with what they hold."""
_DRIVER_URL = "://${postgres.user}:${postgres.password}@${postgres.host}:${postgres.port}/${postgres.database}"
_KEYWORDS = {
    "host": "host", "server": "host", "port": "port", "database": "database", "dbname": "database",
    "username": "user", "user id": "user", "user": "user", "password": "password",
}  # fmt: skip
_POSTGRES_PARTS = (
    (re.compile(r"(^|_)(PG|POSTGRES|DB|DATABASE)_?HOST(NAME)?$"), "host"),
    (re.compile(r"(^|_)(PG|POSTGRES|DB|DATABASE)_?PORT$"), "port"),
    (re.compile(r"(^|_)(PG|POSTGRES|DB|DATABASE)_?(USER(NAME)?)$"), "user"),
    (re.compile(r"(^|_)(PG|POSTGRES|DB|DATABASE)_?(PASS(WORD)?)$"), "password"),
    (re.compile(r"(^|_)(PGDATABASE|(POSTGRES|DB)_?(DB|NAME|DATABASE)|DATABASE_NAME)$"), "database"),
)
_BY_NAME = (
    (
        re.compile(r"(SERVICE_?BUS|(^|_)SB_|(^|_)ASB_).*CONN|(SERVICE_?BUS|SB)_CS$"),
        "${servicebus.connection_string}",
        "servicebus",
    ),
    (re.compile(r"(STORAGE|BLOB).*CONN"), "${blobs.connection_string}", "blobs"),
    (re.compile(r"(DATABASE|POSTGRES(QL)?|PG|DB)_?(URL|URI|DSN)$"), "${postgres.url}", "postgres"),
    (re.compile(r"(STORAGE|BLOB)_?ACCOUNT(_?NAME)?$"), "${blobs.account}", "blobs"),
    (re.compile(r"(STORAGE|BLOB)(_ACCOUNT)?_?KEY$"), "${blobs.key}", "blobs"),
    (re.compile(r"(STORAGE|BLOB)(_ACCOUNT|_SERVICE)?_?(URL|ENDPOINT)$"), "${blobs.url}", "blobs"),
)


def by_name(name: str, default: str | None = None) -> tuple[Any, str] | None:
    """Return what a variable of this name holds, and of which part of the stack; None when its name tells nothing."""
    if name == "PORT":
        return "${service.port}", ""
    if default and (meant := by_value(name, default, {}, set())) is not None and meant[1]:
        return meant
    for pattern, part in _POSTGRES_PARTS:
        if pattern.search(name):
            return f"${{postgres.{part}}}", "postgres"
    for pattern, value, part in _BY_NAME:
        if pattern.search(name):
            return value, part
    return None


def by_value(name: str, value: str, hosts: Mapping[str, str], services: set[str]) -> tuple[Any, str] | None:
    """Return what stands for a value, and the part of the stack it is of; None when it may stay as it is.

    `hosts`: names by which the repository's files know `postgres`, `blobs` and `servicebus`; `services`: its own services.
    """
    if "Endpoint=sb://" in value:
        return "${servicebus.connection_string}", "servicebus"
    if re.search(r"DefaultEndpointsProtocol=|UseDevelopmentStorage=|BlobEndpoint=", value):
        return "${blobs.connection_string}", "blobs"
    if found := re.match(r"(postgres(?:ql)?)(\+\w+)?://[^?]*(\?.*)?$", value):
        scheme, driver, query = found.groups()
        plain = f"{scheme}{driver}{_DRIVER_URL}" if driver else "${postgres.url}"
        return plain + (query or ""), "postgres"
    if re.search(r"(?i)\b(host|server)=[^;]+;.*\bdatabase=", value):
        return ";".join(_keyword(part) for part in value.split(";")), "postgres"
    if value.startswith(("http://", "https://")):
        return _url(value, hosts, services)
    if hosts.get(value) == "postgres":
        return "${postgres.host}", "postgres"
    if "postgres" in hosts.values():
        for pattern, part in _POSTGRES_PARTS:
            if pattern.search(name):
                return f"${{postgres.{part}}}", "postgres"
    return None


def _keyword(part: str) -> str:
    key, equals, _ = part.partition("=")
    name = _KEYWORDS.get(key.strip().lower())
    return f"{key}=${{postgres.{name}}}" if equals and name else part


def _url(value: str, hosts: Mapping[str, str], services: set[str]) -> tuple[Any, str] | None:
    parts = urlsplit(value)
    host = parts.hostname or ""
    if hosts.get(host) == "blobs" or "/devstoreaccount1" in parts.path:
        rest = parts.path.removeprefix("/devstoreaccount1").rstrip("/")
        return "${blobs.url}" + rest, "blobs"
    if host in services:
        rest = parts.path.rstrip("/") + (f"?{parts.query}" if parts.query else "")
        return f"${{services.{host}.url}}{rest}", ""
    return None


def escaped(value: str) -> str:
    """Return a text as a scenario file writes it: `$` begins a name there."""
    return value.replace("$", "$$")
