"""A container engine as this backend talks to it: a few requests of the Docker Engine API over its socket.

Standard library only, and of `peeklock` nothing: the programs `follower` and `removal` use it, which start without site-packages.
"""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

STACK_LABEL = "peeklock.stack"
"""Every container, network and volume of a stack has it, with the stack's id."""
OWNER_LABEL = "peeklock.owner"
"""And this, with the process that removes them at its end (`ownership`)."""
DEFINITION_LABEL = "peeklock.definition"
"""A digest of what the stack is made of."""

_BEING_REMOVED = frozenset({403, 404, 409})
"""What is said of a network whose last container, and of a container that itself, somebody else removes in this moment."""


class EngineError(Exception):
    """The engine answered with an error, or (`status` 0) not at all."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status, self.text = status, text


class Engine:
    """An engine at `unix:///path` or `tcp://127.0.0.1:port`. A connection for each request, so any number of threads may use it.

    `name`: which one it is, when somebody has asked it (`ping`).
    """

    def __init__(self, address: str, name: str = "") -> None:
        self.address, self.name = address, name

    def __str__(self) -> str:
        """`podman 4.3.1 at unix:///run/podman/podman.sock`."""
        return f"{self.name or 'an engine'} at {self.address}"

    def open(self, timeout: float | None) -> http.client.HTTPConnection:
        """A connection that is made at its first request. `timeout` in seconds; None waits for ever."""
        parts = urlsplit(self.address)
        if parts.scheme == "unix":
            return _UnixConnection(parts.path, timeout)
        return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout)

    def request(
        self,
        method: str,
        path: str,
        query: dict[str, Any] | None = None,
        body: Any = None,
        timeout: float | None = 60.0,
    ) -> Any:
        """The JSON of a 2xx or 304 answer; None when it has none. Raises `EngineError`."""
        connection = self.open(timeout)
        try:
            self.send(connection, method, path, query, body)
            return self.answer(connection)
        finally:
            connection.close()

    def send(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        query: dict[str, Any] | None = None,
        body: Any = None,
    ) -> None:
        """Send a request, without waiting for its answer. Raises `EngineError`."""
        target = path + (f"?{urlencode(query)}" if query else "")
        headers = {} if body is None else {"Content-Type": "application/json"}
        try:
            connection.request(method, target, None if body is None else json.dumps(body), headers)
        except (OSError, http.client.HTTPException) as error:
            raise EngineError(0, f"{type(error).__name__}: {error}") from error

    @classmethod
    def answer(cls, connection: http.client.HTTPConnection) -> Any:
        """The JSON of the answer to what was sent. Raises `EngineError`."""
        return cls._read(connection)[1]

    @staticmethod
    def _read(connection: http.client.HTTPConnection) -> tuple[http.client.HTTPResponse, Any]:
        try:
            response = connection.getresponse()
            data = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise EngineError(0, f"{type(error).__name__}: {error}") from error
        parsed = None
        if data and response.getheader("Content-Type", "").startswith("application/json"):
            parsed = json.loads(data)
        if response.status >= 400:
            told = parsed.get("message") if isinstance(parsed, dict) else data.decode("utf-8", "replace")
            raise EngineError(response.status, str(told).strip())
        return response, parsed

    # -- what there is -------------------------------------------------------------------------------------------------

    def ping(self, timeout: float = 2.0) -> None:
        """Learn its name and version. Raises `EngineError` unless it answers."""
        connection = self.open(timeout)
        try:
            self.send(connection, "GET", "/_ping")
            response, _ = self._read(connection)
        finally:
            connection.close()
        # `Docker/20.10.24 (linux)`; podman says what it is made of: `Libpod/4.3.1 (linux)`
        kind, _, version = response.getheader("Server", "").partition(" ")[0].partition("/")
        self.name = f"{_NAMES.get(kind, kind)} {version}".strip()

    def has_image(self, reference: str) -> bool:
        """Whether an image is here, without asking any registry."""
        try:
            self.image_id(reference)
        except EngineError as error:
            if error.status == 404:
                return False
            raise
        return True

    def image_id(self, reference: str) -> str:
        """What an image is, by content. Raises `EngineError` with status 404 when it is not here."""
        return str(self.request("GET", f"/images/{quote(reference, safe='/:@')}/json")["Id"])

    def inspect(self, container: str) -> dict[str, Any]:
        """All that is known of a container."""
        found: dict[str, Any] = self.request("GET", f"/containers/{container}/json")
        return found

    def labelled(self, label: str) -> list[dict[str, str]]:
        """The labels of every container, network and volume that has `label` (`name` or `name=value`)."""
        every = [*self._containers(label), *self._networks(label), *self._volumes(label)]
        return [thing.get("Labels") or {} for thing in every]

    def _containers(self, label: str) -> list[dict[str, Any]]:
        return list(self.request("GET", "/containers/json", {"all": 1, "filters": _by_label(label)}) or ())

    def _networks(self, label: str) -> list[dict[str, Any]]:
        return list(self.request("GET", "/networks", {"filters": _by_label(label)}) or ())

    def _volumes(self, label: str) -> list[dict[str, Any]]:
        return list((self.request("GET", "/volumes", {"filters": _by_label(label)}) or {}).get("Volumes") or ())

    # -- a container ---------------------------------------------------------------------------------------------------

    def start(self, container: str) -> None:
        self.request("POST", f"/containers/{container}/start")

    def stop(self, container: str, grace: float) -> None:
        """Its stop signal, and SIGKILL after `grace` seconds; returns when it has ended."""
        self.request("POST", f"/containers/{container}/stop", {"t": max(1, round(grace))}, timeout=grace + 60.0)

    def kill(self, container: str) -> None:
        """SIGKILL; it may still be there for a moment when this returns. Nothing happens to one that has ended."""
        try:
            self.request("POST", f"/containers/{container}/kill")
        except EngineError as error:
            if error.status not in (404, 409):
                raise

    def pause(self, container: str) -> None:
        self.request("POST", f"/containers/{container}/pause")

    def resume(self, container: str) -> None:
        self.request("POST", f"/containers/{container}/unpause")

    def discard(self, container: str) -> None:
        """Remove one, whatever state it is in; nothing happens when it is gone."""
        self._delete([f"/containers/{container}?force=1&v=1"])

    # -- removing ------------------------------------------------------------------------------------------------------

    def remove(self, label: str) -> int:
        """Remove every container, then every network and volume that has `label`, whatever state it is in; how many.

        What is gone already, or is being removed by somebody else, is well. Raises `EngineError`.
        """
        count = self._delete(f"/containers/{thing['Id']}?force=1&v=1" for thing in self._containers(label))
        count += self._delete(f"/networks/{thing['Id']}" for thing in self._networks(label))
        return count + self._delete(f"/volumes/{quote(thing['Name'])}?force=1" for thing in self._volumes(label))

    def _delete(self, paths: Iterable[str]) -> int:
        """What podman refuses is asked for once more: it refuses to remove a container that ends in that very moment."""
        asked = list(paths)
        trouble = self._delete_each(self._delete_each(asked))
        for error in trouble.values():
            raise error
        return len(asked)

    def _delete_each(self, paths: Iterable[str]) -> dict[str, EngineError]:
        """Side by side: each takes the engine a fifth of a second. What it refused, and why."""
        under_way: dict[str, http.client.HTTPConnection] = {}
        trouble = {}
        try:
            for path in paths:
                under_way[path] = self.open(60.0)
                self.send(under_way[path], "DELETE", path)
            for path, connection in under_way.items():
                try:
                    self.answer(connection)
                except EngineError as error:
                    if error.status not in _BEING_REMOVED:
                        trouble[path] = error
        finally:
            for connection in under_way.values():
                connection.close()
        return trouble


_NAMES = {"Libpod": "podman"}


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float | None) -> None:
        super().__init__("engine", timeout=timeout)
        self._path, self._patience = path, timeout

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self._patience)
        self.sock.connect(self._path)


def _by_label(label: str) -> str:
    return json.dumps({"label": [label]})
