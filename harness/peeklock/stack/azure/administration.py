"""The administration API of a namespace: entities are made and removed with ATOM over HTTP, as Azure documents it."""

from __future__ import annotations

import time
from xml.sax.saxutils import escape

import httpx

from peeklock.connection_strings import parts_of
from peeklock.scenario.topology import Queue
from peeklock.servicebus.auth import make_token
from peeklock.stack.errors import StackError

_VERSION = "2021-05"
_NAMESPACE = "http://schemas.microsoft.com/netservices/2010/10/servicebus/connect"
_VALID = 3600


class Administration:
    """Thread-safe. Raises `StackError` for what the namespace refuses, and when it does not answer."""

    def __init__(self, connection_string: str) -> None:
        parts = parts_of(connection_string)
        try:
            self._host = parts["Endpoint"].split("://", 1)[1].strip("/")
            self._rule, self._key = parts["SharedAccessKeyName"], parts["SharedAccessKey"]
        except (KeyError, IndexError):
            raise StackError(
                "the connection string of the namespace cannot be read",
                expected="Endpoint=sb://…, SharedAccessKeyName and SharedAccessKey",
            ) from None
        plain = parts.get("UseDevelopmentEmulator", "").lower() == "true"
        self._client = httpx.Client(base_url=f"{'http' if plain else 'https'}://{self._host}", timeout=60.0)

    @property
    def where(self) -> str:
        """The namespace, for people and for the list of what was made."""
        return f"servicebus {self._host}"

    def create_queue(self, name: str, queue: Queue) -> None:
        window = queue.duplicate_detection_window
        facts = {
            "LockDuration": _duration(queue.lock_duration),
            "RequiresDuplicateDetection": _boolean(window is not None),
            "RequiresSession": _boolean(queue.requires_session),
            "DefaultMessageTimeToLive": _duration(queue.default_time_to_live),
            "DeadLetteringOnMessageExpiration": _boolean(queue.dead_lettering_on_expiration),
            "DuplicateDetectionHistoryTimeWindow": _duration(window),
            "MaxDeliveryCount": str(queue.max_delivery_count),
        }
        inside = "".join(f"<{key}>{escape(value)}</{key}>" for key, value in facts.items() if value)
        body = (
            '<entry xmlns="http://www.w3.org/2005/Atom"><content type="application/xml">'
            f'<QueueDescription xmlns="{_NAMESPACE}">{inside}</QueueDescription></content></entry>'
        )
        self._ask("PUT", name, body)

    def delete(self, name: str) -> None:
        """Remove an entity, if it is there."""
        self._ask("DELETE", name, missing=True)

    def close(self) -> None:
        self._client.close()

    def _ask(self, method: str, name: str, body: str = "", *, missing: bool = False) -> None:
        token = make_token(f"http://{self._host}/{name}", self._rule, self._key, int(time.time()) + _VALID)
        headers = {"Authorization": token, "Content-Type": "application/atom+xml;type=entry;charset=utf-8"}
        try:
            answer = self._client.request(
                method, f"/{name}", params={"api-version": _VERSION}, content=body.encode(), headers=headers
            )
        except httpx.HTTPError as error:
            raise StackError(
                "the Service Bus namespace does not answer", where=self._host, actual=f"{type(error).__name__}: {error}"
            ) from error
        if answer.is_success or (missing and answer.status_code == 404):
            return
        raise StackError(
            f"the Service Bus namespace refused to {'make' if method == 'PUT' else 'remove'} {name}",
            where=self._host,
            actual=f"{answer.status_code} {answer.text[:500]}",
            fix="the access rule needs the right Manage",
        )


def _boolean(value: bool) -> str:
    return "true" if value else "false"


def _duration(seconds: float | None) -> str:
    return "" if seconds is None else f"PT{seconds:g}S"
