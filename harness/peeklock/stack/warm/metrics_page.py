"""The metrics of all that stands in a project, on one page: Service Bus namespaces, and services that have a page of their own."""

from __future__ import annotations

import asyncio
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from peeklock import telemetry
from peeklock.connection_strings import parts_of
from peeklock.errors import PeeklockError
from peeklock.servicebus.auth import make_token
from peeklock.servicebus.http import HttpLimits, HttpReply, HttpRequest, HttpService
from peeklock.stack.warm.standing import Standing, standing

UP = "peeklock_target_up"
"""1 of whoever has told its metrics, 0 of a Service Bus namespace that has not."""
_PATIENCE = 2.0
"""Seconds that each has to answer."""
_LARGEST = 8 << 20
_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))
Sample = tuple[str, Mapping[str, str], float]


class MetricsPage(HttpService):
    """Answers `GET /metrics`: what stands is looked up each time."""

    def __init__(self, root: Path) -> None:
        super().__init__(HttpLimits(), lambda *_, **__: None)
        self._root = root

    async def answer(self, request: HttpRequest) -> HttpReply:
        if request.method != "GET" or request.path != "/metrics":
            return self.refusal(404, "there is GET /metrics")
        try:
            text = await asyncio.to_thread(lambda: render(samples_of(standing(self._root))))
        except PeeklockError as error:
            return self.refusal(503, error.problem)
        return HttpReply(200, text.encode(), _TYPE)

    def refusal(self, status: int, reason: str) -> HttpReply:
        return HttpReply(status, f"{reason}\n".encode(), "text/plain; charset=utf-8")


def samples_of(environments: Iterable[Standing]) -> Iterator[Sample]:
    """Yield what every one tells, with its `environment` and, of a service, the `service`."""
    for each in environments:
        if each.servicebus_connection_string is not None:
            yield from _told(*_of_bus(each.servicebus_connection_string), {"environment": each.name}, missed=True)
        for service, url in each.services.items():
            own = {"environment": each.name, "service": service}
            yield from _told(f"{url}/metrics", {}, own, missed=False)


def render(samples: Iterable[Sample]) -> str:
    """Return a page; of samples with the same name and labels the first counts."""
    lines: dict[str, float] = {}
    for name, labels, value in samples:
        shown = ",".join(f'{label}="{_escaped(text)}"' for label, text in sorted(labels.items()))
        lines.setdefault(f"{name}{{{shown}}}", value)
    return "".join(f"{series} {value!r}\n" for series, value in sorted(lines.items()))


def _of_bus(connection_string: str) -> tuple[str, dict[str, str]]:
    parts = parts_of(connection_string)
    url = parts["Endpoint"].replace("sb://", "http://").rstrip("/")
    token = make_token(
        url, parts["SharedAccessKeyName"], parts["SharedAccessKey"], int(time.time()) + 10 * 366 * 86_400
    )
    return f"{url}/metrics", {"authorization": token}


def _told(url: str, headers: dict[str, str], labels: Mapping[str, str], *, missed: bool) -> Iterator[Sample]:
    try:
        request = urllib.request.Request(url, headers=headers)  # noqa: S310  http, of this machine
        with _NO_PROXY.open(request, timeout=_PATIENCE) as answer:
            page: Any = answer.read(_LARGEST).decode()
        series = telemetry.read_page(page, "", 0.0)
    except (OSError, ValueError):
        if missed:
            yield UP, labels, 0
        return
    yield UP, labels, 1
    for each in series:
        yield each.name, {**{key: str(value) for key, value in each.attributes.items()}, **labels}, each.value


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
