"""The Service Bus emulator: its control API, and in it one namespace for each environment."""

from __future__ import annotations

import contextlib
import http.client
import json
import secrets
import socket
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any
from urllib.parse import urlencode

from peeklock.connection_strings import servicebus_connection_string
from peeklock.scenario.topology import ServiceBus
from peeklock.servicebus.ledger import Entry, from_json
from peeklock.stack.backend import HeldOperation, Hold
from peeklock.stack.errors import StackError
from peeklock.stack.servers.server import Server
from peeklock.supervision.client import SupervisorClient

ROOT_RULE = "RootManageSharedAccessKey"
SERVICE_RULE = "service-"
"""What the name of a service's own rule begins with."""


class ControlError(StackError):
    """The control API answered, but not with 2xx: its `status`, and what it told (`text`)."""

    def __init__(self, status: int, text: str, fix: str) -> None:
        super().__init__("the control API of the Service Bus emulator refused", actual=f"{status} {text}", fix=fix)
        self.status, self.text = status, text


class Control:
    """A kept-alive connection to the control API. Thread-safe; a long poll holds it, so give each poller its own."""

    def __init__(self, port: int, token: str) -> None:
        self._port, self._token = port, token
        self._lock = threading.Lock()
        self._connection: http.client.HTTPConnection | None = None
        self._closed = False

    def request(self, method: str, path: str, body: Any = None, wait: float = 0.0) -> Any:
        """The JSON of a 2xx answer (None when it has none). Raises `ControlError`, `OSError`."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        with self._lock:
            for attempt in (1, 2):
                fresh = self._connection is None
                if self._connection is None:
                    self._connection = http.client.HTTPConnection("127.0.0.1", self._port)
                self._connection.timeout = wait + 10.0
                if self._connection.sock is not None:
                    self._connection.sock.settimeout(wait + 10.0)
                try:
                    if fresh:
                        self._connection.connect()
                    # Looked at only now that there is a socket: `close` either sees it, or is seen here.
                    if self._closed:
                        raise ConnectionAbortedError("closed")
                    self._connection.request(method, path, data, headers)
                    response = self._connection.getresponse()
                    answer = response.read()
                    break
                except (OSError, http.client.HTTPException) as error:
                    self._drop()
                    idle = isinstance(error, http.client.RemoteDisconnected | BrokenPipeError | ConnectionResetError)
                    if fresh or attempt == 2 or not idle:
                        raise error if isinstance(error, OSError) else ConnectionError(str(error)) from error
        parsed = json.loads(answer) if answer else None
        if not 200 <= response.status < 300:
            facts = parsed if isinstance(parsed, dict) else {}
            raise ControlError(response.status, str(facts.get("error", "")), str(facts.get("fix") or ""))
        return parsed

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def close(self) -> None:
        """End it from any thread; a long poll that is under way fails with `OSError`, and closes the socket itself."""
        self._closed = True
        connection = self._connection
        if connection is not None and connection.sock is not None:
            with contextlib.suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)
        if self._lock.acquire(blocking=False):
            self._drop()
            self._lock.release()


class ServiceBusServer(Server):
    """A running emulator. Thread-safe."""

    PROCESS = "servicebus"
    TITLE = "the Service Bus emulator"
    READY = "servicebus.ready"

    def __init__(self, supervisor: SupervisorClient, state: Mapping[str, Any]) -> None:
        super().__init__(supervisor, state)
        self._control = self.new_control()

    def new_control(self) -> Control:
        return Control(self._state["control_port"], self._state["token"])

    def port(self, slot: int) -> int:
        """The port for the namespace of an environment; 0 when the emulator may take any."""
        ports: list[int] = self._state.get("namespace_ports") or []
        return ports[slot] if ports else 0

    def round_trip(self) -> None:
        """Raise `StackError` unless a message can be sent, received and completed."""
        from peeklock.servicebus import Client, OutgoingMessage  # 50 ms, for the process that has started it

        key = secrets.token_urlsafe(32)
        rules = [_full_rule(ROOT_RULE, key)]
        port = self.create_namespace("probe", {"queues": {"probe": {}}, "access_rules": rules, "port": self.port(0)})
        try:
            with Client(connection_string(port, ROOT_RULE, key)) as client:
                client.send("probe", [OutgoingMessage(body=b"ready")])
                received = client.receive("probe", 1, 5.0)
                if [bytes(message.body) for message in received] != [b"ready"]:
                    raise StackError(
                        f"{self.TITLE} did not give back the message of its probe", where=f"127.0.0.1:{port}"
                    )
                client.complete(received[0])
        finally:
            self.delete_namespace("probe")

    def create_namespace(self, name: str, topology: Mapping[str, Any]) -> int:
        """Make a namespace; the port of its own AMQP listener. Raises `StackError` for a topology that it does not take."""
        try:
            return int(self._ask("PUT", f"/namespaces/{name}", topology)["port"])
        except ControlError as error:
            what = f"{self.TITLE} does not take the topology of the scenario"
            raise StackError(what, actual=error.text, fix=error.fix) from error

    def name_of(self, _namespace: str, queue: str) -> str:
        """What a queue of an environment is called there."""
        return queue

    def connection_string(self, port: int, rule: str, key: str) -> str:
        """What clients of a namespace need."""
        return connection_string(port, rule, key)

    def change_namespace(self, name: str, topology: Mapping[str, Any]) -> None:
        """Let a namespace become what a topology says, while its clients go on. Raises `StackError`."""
        self._ask("PUT", f"/namespaces/{name}/topology", topology)

    def delete_namespace(self, name: str) -> None:
        try:
            self._ask("DELETE", f"/namespaces/{name}")
        except ControlError as error:
            if error.status != 404:
                raise

    def authority(self) -> str:
        """The certificate, in PEM, of whoever signs its certificate for Azure's names."""
        return str(self._ask("GET", "/authorities/azure")["certificate"])

    def reset(self, name: str) -> int:
        """Empty every queue; the ledger's cursor behind which the new life begins."""
        return int(self._ask("POST", f"/namespaces/{name}/reset")["cursor"])

    def deliveries_in_hand(self, name: str, wait: float = 0.0, principals: Sequence[str] = ()) -> list[dict[str, Any]]:
        """Who has deliveries in hand: `{principal, deliveries, cut_for}`, by rule; those given here, for whom it waits."""
        query = urlencode({"wait": f"{wait:g}", "principal": list(principals)}, doseq=True)
        found: list[dict[str, Any]] = self._ask("GET", f"/namespaces/{name}/hands?{query}", wait=wait)["hands"]
        return found

    def begin_fault(self, name: str, document: Mapping[str, Any]) -> dict[str, Any]:
        """Begin a fault; what the control API tells of it. Raises `ControlError` for one that it does not take."""
        answer: dict[str, Any] = self._ask("POST", f"/namespaces/{name}/faults", document)
        return answer

    def end_faults(self, name: str) -> int:
        """End every fault of the namespace; how often they have struck."""
        path = f"/namespaces/{name}/faults"
        struck = sum(int(fault["struck"]) for fault in self._ask("GET", path)["faults"])
        self._ask("DELETE", path)
        return struck

    def hold(self, name: str, held: HeldOperation) -> Hold:
        """`backend.Environment.hold` in a namespace. Raises `StackError`."""
        asked = asdict(held) | {"fault": "hold", "by": None if held.by is None else principals(held.by)}
        path = f"/namespaces/{name}/faults"
        try:
            fault = self._ask("POST", path, asked)["id"]
        except ControlError as error:
            what = f"{self.TITLE} cannot hold {held.operation} on {held.entity}"
            raise StackError(what, actual=error.text, fix=error.fix) from error

        def end() -> None:
            with contextlib.suppress(ControlError):  # a reset may have been faster
                self._ask("DELETE", f"{path}/{fault}")

        return Hold(fault, end)

    def hold_handshakes(self) -> None:
        """Have no client on its way in until `advance`: those that are come to an end first, new ones wait."""
        self._ask("POST", "/clock", {"hold": True})

    def release_handshakes(self) -> None:
        """Let clients in again, the clock moved or not."""
        self._ask("POST", "/clock", {"hold": False})

    def advance(self, seconds: float) -> float:
        """Move its clock, and do at once what falls due; its time then, in seconds since 1970. It moves all namespaces."""
        return float(self._ask("POST", "/clock", {"advance": seconds})["now"])

    def entities(self, name: str) -> list[dict[str, Any]]:
        """Counts and receivers of every queue and, by its path, every subscription; counts of every topic."""
        found = self._ask("GET", f"/namespaces/{name}/entities")
        topics = found.get("topics", ())
        subscriptions = [each for topic in topics for each in topic["subscriptions"]]
        return [*found["queues"], *subscriptions, *(_NO_MESSAGES | _bare(topic) for topic in topics)]

    def session(self, name: str, entity: str, session_id: str) -> dict[str, Any]:
        """The state and the lock of one message session; takes no lock."""
        found: dict[str, Any] = self._ask(
            "GET", f"/namespaces/{name}/session?{urlencode({'entity': entity, 'id': session_id})}"
        )
        return found

    def ledger(self, name: str, after: int, wait: float, control: Control | None = None) -> tuple[list[Entry], int]:
        """Entries after the cursor `after`, waiting at most `wait` seconds for the first, and the new cursor.

        Raises `StackError` where the emulator has let some of them go: nothing could be judged by the rest.
        """
        path = f"/namespaces/{name}/ledger?after={after}&wait={wait:g}"
        answer = self._ask("GET", path, wait=wait, control=control)
        entries = [from_json(entry) for entry in answer["entries"]]
        if after and entries and (gone := entries[0].number - after - 1) > 0:
            raise StackError(
                f"the ledger has let {gone:,} entries go before they were read",
                expected="what happens to messages to be read before 100,000 entries or 256 MiB of bodies have come after it",
                fix="send less at a time, or smaller bodies",
            )
        return entries, int(answer["cursor"])

    def _ask(self, method: str, path: str, body: Any = None, wait: float = 0.0, control: Control | None = None) -> Any:
        try:
            return (control or self._control).request(method, path, body, wait)
        except OSError as error:
            raise self._lost(error) from error

    def close(self) -> None:
        self._control.close()


_NO_MESSAGES: dict[str, Any] = {"active": 0, "locked": 0, "deferred": 0, "dead_letter": 0, "receivers": []}
"""Of a topic: its messages are in its subscriptions."""


def _bare(topic: dict[str, Any]) -> dict[str, Any]:
    return {key: topic[key] for key in ("name", "scheduled", "status")}


def connection_string(port: int, rule: str, key: str) -> str:
    """As the SDKs read it: plain AMQP on loopback."""
    return servicebus_connection_string(f"127.0.0.1:{port}", rule, key)


def _full_rule(name: str, key: str) -> dict[str, Any]:
    return {"name": name, "key": key, "rights": ["Manage", "Send", "Listen"], "entity": None}


def service_rule(service: str) -> str:
    """The name of the rule that a service, or one of its replicas (`worker.3`), signs with."""
    return f"{SERVICE_RULE}{service}"


def principals(service: str) -> str:
    """Return by whose rule or identity a service, or one replica of it, acts, as a fault takes it; or somebody else of the name."""
    return f"{service_rule(service)},{service}"


def control_topology(spec: ServiceBus, keys: Mapping[str, str], port: int = 0) -> dict[str, Any]:
    """The control API's form of a scenario's namespace; `keys` by the name of the rule, the root rule among them; `port`: 0 for any."""
    ours = {"message_schema", "consumers", "effect"}
    queues = {name: queue.model_dump(exclude=ours) for name, queue in spec.queues.items()}
    topics = {
        name: topic.model_dump(exclude={"subscriptions": {"__all__": ours}}, exclude_none=True)
        for name, topic in spec.topics.items()
    }
    own = [name for name in keys if name == ROOT_RULE or name.startswith(SERVICE_RULE)]
    rules = [_full_rule(name, keys[name]) for name in own]
    rules += [
        {"name": name, "key": keys[name], "rights": list(rule.rights), "entity": rule.queue}
        for name, rule in spec.access_rules.items()
    ]
    return {"queues": queues, "topics": topics, "access_rules": rules, "port": port}
