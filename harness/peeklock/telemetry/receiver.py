"""The port to which services export: OTLP over HTTP, and Application Insights' ingestion and live endpoints."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from peeklock.errors import PeeklockError
from peeklock.servicebus.http import HttpLimits, HttpReply, HttpRequest, HttpService
from peeklock.standins.server import StandInServer
from peeklock.telemetry import application_insights
from peeklock.telemetry.inflation import inflate
from peeklock.telemetry.limits import BODY, Counter, TelemetryRefused
from peeklock.telemetry.records import Batch
from peeklock.telemetry.store import Telemetry

try:
    from peeklock.telemetry import otlp
except ImportError as missing:  # pragma: no cover -- an optional extra
    raise PeeklockError(
        f"telemetry needs the package {missing.name}, which is not installed", fix="pip install 'peeklock[telemetry]'"
    ) from missing

_SIGNALS = ("traces", "metrics", "logs")
_PROTOBUF = "application/x-protobuf"


class Receiver:
    """Takes the telemetry of an environment on loopback from its making until `close`.

    A service exports to `/NAME`, its name in the scenario, so that it is known whatever it calls itself.
    """

    def __init__(self, port: int, processes: Iterable[str], now: Callable[[], float]) -> None:
        """Listen when this returns, on any free port for 0. `processes`: services, and replicas of those that have several; `now`:
        the clock that they go by, in Unix seconds. Raises `PeeklockError` when the port is taken."""
        self.telemetry = Telemetry(now)
        self._server = StandInServer(_Door(self.telemetry, frozenset(processes)), port, "the telemetry receiver")

    @property
    def port(self) -> int:
        return self._server.port

    def close(self) -> None:
        """Close the port and every connection. Idempotent."""
        self._server.close()


class _Door(HttpService):
    def __init__(self, telemetry: Telemetry, processes: frozenset[str]) -> None:
        super().__init__(HttpLimits(body=BODY), _silent)
        self._telemetry, self._processes = telemetry, processes

    async def answer(self, request: HttpRequest) -> HttpReply:
        parts = [part for part in request.parts if part]
        known = parts[0] if parts and parts[0] in self._processes else ""
        rest = parts[1:] if known else parts

        def service(facts: Mapping[str, Any]) -> str:
            return known or str(facts.get("service.name") or facts.get("ai.cloud.role") or "")

        try:
            if len(rest) == 2 and rest[0] == "v1" and rest[1] in _SIGNALS:
                return self._posted(request, lambda body: self._otlp(rest[1], request, body, service))
            if len(rest) == 2 and rest[0] in ("v2", "v2.1") and rest[1] == "track":
                return self._posted(request, lambda body: self._track(body, service))
            if rest[:1] == ["QuickPulseService.svc"]:  # live metrics: nobody is watching
                return HttpReply(200, b"{}", headers=(("x-ms-qps-subscribed", "false"),))
        except TelemetryRefused as refused:
            self._telemetry.refuse(f"{known or 'a service'}: {refused}")
            return HttpReply(refused.status, _words(refused.status, str(refused)))
        return self.refusal(404, "there are /v1/traces, /v1/metrics, /v1/logs, /v2/track and /v2.1/track")

    def _posted(self, request: HttpRequest, take: Callable[[bytes], HttpReply]) -> HttpReply:
        if request.method != "POST":
            return HttpReply(405, _words(405, "telemetry is posted"), headers=(("allow", "POST"),))
        return take(inflate(request.body, request.headers.get("content-encoding", "").strip().lower(), BODY))

    def _otlp(
        self, signal: str, request: HttpRequest, body: bytes, service: Callable[[Mapping[str, Any]], str]
    ) -> HttpReply:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind not in (_PROTOBUF, "application/json"):
            raise TelemetryRefused(415, f"the content-type {kind[:60]!r} is not known: {_PROTOBUF} or application/json")
        counter = Counter()
        batch = otlp.read(signal, body, kind != _PROTOBUF, service, counter)
        self._keep(batch, counter, len(body))
        return HttpReply(200, b"" if kind == _PROTOBUF else b"{}", kind=kind)

    def _track(self, body: bytes, service: Callable[[Mapping[str, Any]], str]) -> HttpReply:
        counter = Counter()
        batch, count = application_insights.read(body, service, counter)
        self._keep(batch, counter, len(body))
        for _, reason in batch.refused:
            self._telemetry.refuse(f"an item of Application Insights: {reason}")
        errors = [{"index": index, "statusCode": 400, "message": reason} for index, reason in batch.refused]
        answer = {"itemsReceived": count, "itemsAccepted": count - len(errors), "errors": errors}
        return HttpReply(206 if 0 < len(errors) < count else 400 if errors else 200, json.dumps(answer).encode())

    def _keep(self, batch: Batch, counter: Counter, size: int) -> None:
        batch.values = counter.values
        self._telemetry.add(batch, size)

    def refusal(self, status: int, reason: str) -> HttpReply:
        if status in (408, 413):
            self._telemetry.refuse(reason)
        return HttpReply(status, _words(status, reason))


def _words(status: int, reason: str) -> bytes:
    return json.dumps({"code": status, "message": reason}).encode()


def _silent(*_: Any, **__: Any) -> None:
    """What is refused is told where it is asked for: by `spans` and `metrics`."""
