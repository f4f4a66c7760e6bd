"""A running namespace, reached by its connection string: looked into, sent to, cleared of dead letters."""

from __future__ import annotations

import http.client
import json
import re
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

from peeklock import servicebus
from peeklock.connection_strings import parts_of
from peeklock.errors import PeeklockError
from peeklock.redaction import redact
from peeklock.servicebus.auth import make_token
from peeklock.servicebus.gateway.faults import KINDS
from peeklock.servicebus.paths import DEAD_LETTER_SUFFIX
from peeklock.ui import shown

_PATIENCE = 10.0
_TEN_YEARS = 10 * 366 * 86_400
_TOGETHER = 0.1
"""Seconds for which the emulator gathers what happens, so that following it costs little."""


class Gone(PeeklockError):
    """The emulator does not answer."""


class Namespace:
    """One namespace of an emulator. Thread-safe. Raises `PeeklockError` for what it refuses, `Gone` when it is not there."""

    def __init__(self, connection_string: str) -> None:
        """Raises `PeeklockError` for what is no connection string of an emulator. Nothing is connected yet."""
        parts = parts_of(connection_string)
        if parts.get("UseDevelopmentEmulator", "").lower() != "true":
            raise PeeklockError(
                "the live page is for an emulator",
                expected="UseDevelopmentEmulator=true in the connection string",
                fix="take the connection string of `peeklock servicebus` or of a kept run (`peeklock env`)",
            )
        try:
            self._looks = servicebus.Client(connection_string)
            self._acts = servicebus.Client(connection_string)
        except ValueError as error:
            raise PeeklockError(redact(str(error)), fix="see docs/ui.md for one") from None
        address = urlsplit(parts["Endpoint"].replace("sb://", "http://"))
        self._host, self._port = address.hostname or "localhost", address.port or 5672
        expires = int(time.time()) + _TEN_YEARS  # by a clock that may be moved
        url = f"http://{self._host}:{self._port}"
        token = make_token(url, parts["SharedAccessKeyName"], parts["SharedAccessKey"], expires)
        self._headers = {"authorization": token, "content-type": "application/json"}
        self.address = f"{self._host}:{self._port}"

    def close(self) -> None:
        """Close its connections."""
        self._looks.close()
        self._acts.close()

    # -- looking

    def entities(self) -> dict[str, Any]:
        """Return queues and topics with their counts, and the `cursor` of the ledger."""
        found = self._ask("GET", "/entities")
        return {
            "queues": [_counts(queue) for queue in found["queues"]],
            "topics": [
                {**_counts(topic), "subscriptions": [_counts(each) for each in topic["subscriptions"]]}
                for topic in found["topics"]
            ],
            "cursor": found["cursor"],
        }

    def peek(self, path: str, first: int, most: int) -> list[dict[str, Any]]:
        """Return messages from a sequence number on."""
        return [shown.message(each) for each in self._looks.peek(path, most, first)]

    def history(self, message_id: str) -> list[dict[str, Any]]:
        """Return what the ledger has about messages of this id, in every entity."""
        found = self._ask("GET", f"/ledger?{urlencode({'message_id': message_id})}")["entries"]
        return [shown.entry(each) for each in found]

    def follow(self, after: int, opened: list[http.client.HTTPConnection]) -> Iterator[list[dict[str, Any]]]:
        """Yield ledger entries as they come, those of a tenth of a second together, until the emulator ends.

        The connection is put into `opened`: closing it from another thread ends this.
        """
        connection = self._connect(None)
        opened.append(connection)
        try:
            query = urlencode({"follow": "true", "after": after, "every": _TOGETHER, "content": "false"})
            response = self._requested(connection, "GET", f"/ledger?{query}")
            rest = b""
            while piece := response.read1(1 << 18):
                *lines, rest = (rest + piece).split(b"\n")
                if lines:
                    yield [shown.entry(json.loads(line)) for line in lines]
        except (OSError, ValueError, http.client.HTTPException, AttributeError) as error:
            # AttributeError: http.client's, when it is closed by another thread while it reads
            raise Gone(f"the emulator at {self.address} has gone", actual=str(error)) from error
        finally:
            connection.close()

    # -- acting

    def send(self, entity: str, facts: Mapping[str, Any], scheduled_in: float | None, times: int) -> int:
        """Send a message, or `times` of them; return how many. `facts`: as in a file of recorded messages."""
        messages = [servicebus.RecordedMessage(facts) for _ in range(times)]
        if scheduled_in:
            for each in messages:
                each.scheduled_enqueue_time = datetime.now(UTC) + timedelta(seconds=scheduled_in)
        self._acts.send(entity, messages)
        return times

    def resubmit(self, entity: str, sequences: Sequence[int] | None) -> dict[str, Any]:
        """Send dead letters of an entity again: those of these numbers, or all; `{sent, left, to}`."""
        path, target = (
            entity + DEAD_LETTER_SUFFIX,
            re.split("/subscriptions/", entity, maxsplit=1, flags=re.IGNORECASE)[0],
        )
        if sequences is None:
            sequences = [each.sequence_number for each in servicebus.every_message(self._acts, path)]
        done = servicebus.send_again(self._acts, path, target, sequences)
        return {"sent": len(done), "left": len(set(sequences)) - len(done), "to": target}

    def purge(self, path: str) -> int:
        """Delete every message of a queue or a dead-letter queue; return how many."""
        return int(self._ask("POST", f"/queues/{http_path(path)}/purge")["purged"])

    # -- faults

    def faults(self) -> list[dict[str, Any]]:
        """Return the faults that were begun and not cleared, those that are over too."""
        found: list[dict[str, Any]] = self._ask("GET", "/faults")["faults"]
        return found

    def begin_fault(self, kind: str, entity: str, times: int | None) -> int:
        """Begin a fault of an entity, or with an empty one of the whole namespace; return how often it has struck already.

        `times`: of one that waits for its moments; None: until it is cleared.
        """
        settings: dict[str, Any] = {"fault": kind, **({"entity": entity} if entity else {})}
        if KINDS[kind].counted:
            settings["times"] = times
        return int(self._ask("POST", "/faults", settings)["struck"])

    def end_fault(self, fault: str) -> None:
        """Clear a fault; what it held goes on."""
        self._ask("DELETE", f"/faults/{http_path(fault)}")

    # -- HTTP

    def _connect(self, patience: float | None = _PATIENCE) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=_PATIENCE)
        try:
            connection.connect()
        except OSError as error:
            raise Gone(
                f"no emulator answers at {self.address}",
                actual=str(error.strerror or error),
                fix="`peeklock servicebus` starts one; name another with --connection-string",
            ) from error
        connection.sock.settimeout(patience)
        return connection

    def _ask(self, method: str, path: str, document: Any = None) -> Any:
        connection = self._connect()
        try:
            answer = self._requested(connection, method, path, document)
            return None if answer.status == 204 else json.loads(answer.read())
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise Gone(f"the emulator at {self.address} has gone", actual=str(error)) from error
        finally:
            connection.close()

    def _requested(
        self, connection: http.client.HTTPConnection, method: str, path: str, document: Any = None
    ) -> http.client.HTTPResponse:
        body = None if document is None else json.dumps(document)
        connection.request(method, f"/$peeklock{path}", body, self._headers)
        response = connection.getresponse()
        if response.status == 204:
            return response
        if response.status != 200:
            told = _detail(response.read(64 << 10))
            if response.status in (401, 403):
                raise PeeklockError(
                    f"the namespace at {self.address} does not let this key in",
                    expected="the key of an access rule with the right Manage",
                    actual=redact(told),
                    fix="take the connection string of its RootManageSharedAccessKey",
                )
            raise PeeklockError(redact(told) or f"the emulator at {self.address} answered {response.status}")
        if "json" not in response.getheader("content-type", ""):
            raise PeeklockError(
                f"what listens at {self.address} is no Peeklock emulator",
                fix="start `peeklock servicebus` in the place of Microsoft's: it takes the same Config.json",
            )
        return response


def http_path(path: str) -> str:
    """Return an entity's path as a part of a URL, slashes kept."""
    return urlencode({"": path}).removeprefix("=").replace("%2F", "/").replace("+", "%20")


def _counts(entity: Mapping[str, Any]) -> dict[str, Any]:
    names = ("name", "active", "locked", "scheduled", "deferred", "dead_letter", "transfer_dead_letter", "status")
    counts = {name: entity.get(name, 0) for name in names}
    return counts | {"receivers": len(entity.get("receivers", ())), "rules": entity.get("rules", [])}


def _detail(body: bytes) -> str:
    try:
        return ET.fromstring(body).findtext("Detail") or ""  # noqa: S314  of the emulator that we chose
    except ET.ParseError:
        return ""
