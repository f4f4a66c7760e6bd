"""The services of one environment: children of the supervisor, told where things are by environment variables."""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType
from typing import Any

from peeklock.errors import PeeklockError
from peeklock.scenario.services import Service, process_names, replica_names
from peeklock.stack.backend import DatabaseUse, Endpoints, EnvironmentSpec, Exit, LogLine, Ports, Variables
from peeklock.stack.environment.endpoints import secrets
from peeklock.stack.environment.launcher import Launch, Launcher
from peeklock.stack.environment.log_lines import LogLines
from peeklock.stack.errors import StackError
from peeklock.supervision.children import Children
from peeklock.supervision.client import Push, SupervisorClient
from peeklock.supervision.readiness import Watcher, announces, json_record
from peeklock.supervision.usage import Usage, forget_peak, usage_of

_SECRET_NAME = re.compile(r"TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL|(^|_)KEY$|API_?KEY|ACCOUNT_?KEY", re.IGNORECASE)


class LocalServices:
    """Implements `backend.Services`. Thread-safe."""

    def __init__(
        self,
        supervisor: SupervisorClient,
        children: Children,
        launcher: Launcher,
        prefix: str,
        spec: EnvironmentSpec,
        endpoints: Endpoints,
        ports: Mapping[str, Sequence[int]],
        log_dir: Path,
        relay_ports: Mapping[str, int],
        own_variables: Callable[[str], Mapping[str, str | None]],
        own_secrets: Iterable[str],
        connections: Callable[[], Sequence[tuple[str, str, tuple[str, str]]]],
    ) -> None:
        self._supervisor = supervisor
        self._children = children
        self._launcher = launcher
        self._prefix = prefix
        self._spec = spec
        self._endpoints = endpoints
        self._ports = {name: list(found) for name, found in ports.items()}
        self._own_variables = own_variables
        self._connections = connections
        self._relay_ports = relay_ports
        """Ports at which services find each other, where these are not their own."""
        self._log_dir = log_dir
        self._secrets = sorted({*secrets(endpoints), *own_secrets})
        self._changed = threading.Condition()
        self._lines = LogLines()
        self._exits: list[Exit] = []
        self._wakes: dict[int, Callable[[], None]] = {}
        self._wanted = {name: service.initial for name, service in spec.services.items()}
        """How many replicas `start` starts: those that a case begins with, or as many as `scale` has said."""
        self._besides: Mapping[str, Mapping[str, str]] = {}
        """What services are told in the case that runs, by service."""
        self._end_listening = supervisor.listen(prefix, self._on_push)

    # -- events --------------------------------------------------------------------------------------------------------

    def _on_push(self, push: Push) -> None:
        with self._changed:
            if dropped := push.get("dropped"):
                service, replica = self._split(push["child"])
                text = f"… {dropped} lines came faster than they could be read, and are in the log file only"
                self._lines.add([LogLine(service, replica, time.time(), text, None)])
            if push["push"] == "lines":
                service, replica = self._split(push["child"])
                self._lines.add(LogLine(service, replica, at, text, json_record(text)) for at, text in push["lines"])
            elif push["push"] == "exit":
                service, replica = self._split(push["child"])
                self._exits.append(Exit(service, replica, push["at"], push["code"], push["expected"]))
            wakes = list(self._wakes.values())
            self._changed.notify_all()
        for wake in wakes:
            wake()

    def on_change(self, wake: Callable[[], None]) -> Callable[[], None]:
        key = id(wake)
        with self._changed:
            self._wakes[key] = wake

        def end() -> None:
            with self._changed:
                self._wakes.pop(key, None)

        return end

    def logs(self, after: int = 0, *, late: bool = False) -> tuple[list[LogLine], int]:
        if late:
            self._supervisor.call("drain", prefix=self._prefix)
        with self._changed:
            return self._lines.after(after), self._lines.cursor

    def exits(self, after: int = 0) -> tuple[list[Exit], int]:
        with self._changed:
            return self._exits[after:], len(self._exits)

    # -- what is there -------------------------------------------------------------------------------------------------

    def names(self) -> Sequence[str]:
        return list(self._spec.services)

    def processes(self) -> list[str]:
        """Services, and replicas of those that have several."""
        return process_names(self._spec.services)

    def url(self, service: str) -> str:
        service, replica = self._meant(service)
        return self.urls(service)[replica or 0]

    def urls(self, service: str) -> list[str]:
        return [f"http://127.0.0.1:{port}" for port in self._ports[service]]

    def _meant(self, name: str) -> tuple[str, int | None]:
        """The service, and which replica when a name names one: `worker.1`."""
        service, _, number = name.rpartition(".")
        return (name, None) if name in self._spec.services else (service, int(number))

    def running(self, service: str) -> int:
        return len(self._running(service))

    def _running(self, name: str) -> list[str]:
        service, replica = self._meant(name)
        children = self._children.all(f"{self._prefix}{service}.")
        running = [child["name"] for child in children if child["code"] is None]
        return running if replica is None else [child for child in running if child == self._name(service, replica)]

    def _name(self, service: str, replica: int) -> str:
        return f"{self._prefix}{service}.{replica}"

    def _split(self, child: str) -> tuple[str, int]:
        service, _, replica = child[len(self._prefix) :].rpartition(".")
        return service, int(replica)

    def usage(self, service: str, *, anew: bool = False) -> list[Usage]:
        leaders = self._children.leaders(f"{self._prefix}{service}.").values()
        found = [usage for leader in leaders if (usage := usage_of(leader)) is not None]
        for leader in leaders if anew else ():
            forget_peak(leader)
        return found

    def _source(self, service: str) -> str:
        """The fingerprint of what the service is made of and told besides, now."""
        besides = json.dumps(self._besides.get(service, {}), sort_keys=True)
        told = hashlib.sha256(besides.encode()).hexdigest()[:16]
        return f"{self._launcher.source(self._spec.services[service])} {told}"

    def variables(self, service: str) -> dict[str, str]:
        own = self._own(service, self._all_seen())
        told = {name: value for name, value in self._told(service, 0).items() if value is not None}
        return {**told, **own}

    def _own(self, service: str, ports: Ports) -> dict[str, str]:
        """The scenario's `env` for it, and the case's."""
        return {**self._spec.variables(self._endpoints, ports).get(service, {}), **self._besides.get(service, {})}

    def tell(self, variables: Variables | None) -> None:
        before = self._besides
        self._besides = {} if variables is None else variables(self._endpoints, self._all_seen())
        for service in self._spec.services:
            if before.get(service, {}) != self._besides.get(service, {}):
                self.stop(service)

    def databases(self) -> list[DatabaseUse]:
        return [
            DatabaseUse(self._meant(process)[0], database, identity)
            for process, database, identity in self._connections()
        ]

    # -- start ---------------------------------------------------------------------------------------------------------

    def start(self, service: str) -> None:
        service, replica = self._meant(service)
        self._start(service, None, replica)

    def start_all(self, dependencies: Future[None] | None = None) -> None:
        """Start every service that is not running, each after those it depends on is ready; all others at the same time.

        `dependencies`: what they stand on may still be starting. A service that ends while it is, is started once more after it.
        """
        todo = self._in_order()
        if not todo:
            return
        with ThreadPoolExecutor(len(todo), thread_name_prefix="start") as pool:
            started: dict[str, Future[None]] = {}

            def begin(service: str) -> None:
                for needed in self._spec.services[service].depends_on:
                    started[needed].result()
                self._start(service, dependencies)

            for service in todo:
                started[service] = pool.submit(begin, service)
        first = next((error for future in started.values() if (error := future.exception()) is not None), None)
        if first is not None:
            raise first

    def _in_order(self) -> list[str]:
        """Names with every service after those it depends on. Raises `StackError` for a circle or an unknown name."""
        order: list[str] = []
        path: list[str] = []

        def visit(name: str) -> None:
            if name in order:
                return
            if name in path or name not in self._spec.services:
                chain = " -> ".join([*path, name])
                what = "depend on each other in a circle" if name in path else "depend on a service that is not defined"
                raise StackError(f"services {what}", where=chain, fix="correct `depends_on`")
            path.append(name)
            for needed in self._spec.services[name].depends_on:
                visit(needed)
            path.pop()
            order.append(name)

        for name in self._spec.services:
            visit(name)
        return order

    def _start(self, service: str, dependencies: Future[None] | None, only: int | None = None) -> None:
        running = set(self._running(service))
        every = range(self._wanted[service]) if only is None else (only,)
        wanted = [n for n in every if self._name(service, n) not in running]
        self._start_replicas(service, wanted, dependencies)

    def scale(self, service: str, count: int) -> list[int]:
        most = self._spec.services[service].most
        if not 0 <= count <= most:
            raise StackError(f"{service} cannot have {count} replicas", expected=f"0 to {most}")
        self._wanted[service] = count
        running = set(self._running(service))
        numbers = [n for n in range(most) if self._name(service, n) in running]
        begun = [n for n in range(most) if n not in numbers][: max(0, count - len(numbers))]
        self._start_replicas(service, begun, None)
        self._all([self._name(service, n) for n in numbers[count:]], self._children.stop)
        return begun

    def execute(self, service: str, env: Mapping[int, Mapping[str, str]], run: Sequence[str] | None = None) -> None:
        self._in_parallel(service, list(env), lambda replica: self._launch(service, replica, env[replica], run))

    def _start_replicas(self, service: str, wanted: list[int], dependencies: Future[None] | None) -> None:
        self._in_parallel(service, wanted, lambda replica: self._start_replica(service, replica, dependencies))

    def _in_parallel(self, service: str, replicas: list[int], start: Callable[[int], None]) -> None:
        if len(replicas) == 1:
            start(replicas[0])
        elif replicas:
            with ThreadPoolExecutor(len(replicas), thread_name_prefix=f"start-{service}") as pool:
                list(pool.map(start, replicas))

    def _start_replica(self, service: str, replica: int, dependencies: Future[None] | None) -> None:
        early = dependencies is not None and not dependencies.done()
        try:
            self._launch(service, replica)
        except PeeklockError:
            if not early or dependencies is None or self._name(service, replica) in self._running(service):
                raise
            dependencies.result()  # its own error, when that is why the service ended
            self._launch(service, replica)

    def _launch(
        self,
        service: str,
        replica: int,
        env: Mapping[str, str] = MappingProxyType({}),
        run: Sequence[str] | None = None,
    ) -> None:
        definition = self._spec.services[service]
        port = self._ports[service][replica]
        ports = self._all_seen()
        ports[service] = [port, *(seen for n, seen in enumerate(ports[service]) if n != replica)]
        own = {**self._own(service, ports), **env}
        argv = list(run or self._spec.command(service, self._endpoints, ports))
        known = [*self._secrets, *(value for name, value in own.items() if _SECRET_NAME.search(name))]
        title = f"service {service}" + (f" (replica {replica})" if definition.most > 1 else "")
        log_file = self._log_dir / f"{service}.log"
        name = self._name(service, replica)
        meta = {"service": service, "replica": replica, "source": self._source(service)}
        told = self._told(service, replica)
        watcher = Watcher(
            self._supervisor, name, title=title, log_file=log_file, secrets=known, longer="raise `ready.within`"
        )
        try:
            self._launcher.launch(
                Launch(name, title, definition, argv, port, told, own, self._endpoints.names, log_file, known, meta)
            )
            ready = definition.ready
            if ready is None:
                return
            if ready.http is not None:
                watcher.until_http(port, ready.http, ready.within)
            elif ready.log is not None:
                watcher.until_line(announces(ready.log), f"a log line with {ready.log!r}", ready.within)
        except PeeklockError:
            # One that never became ready must not look like one that runs.
            if name in self._running(service):
                self._children.kill(name)
            raise
        finally:
            watcher.close()

    def _all_seen(self) -> dict[str, list[int]]:
        return {name: self._seen(name) for name in self._ports}

    def _seen(self, service: str) -> list[int]:
        """Where others find it: at the relay, or at its own ports."""
        own = self._ports[service]
        names = replica_names(service, len(own))
        return [self._relay_ports.get(name, port) for name, port in zip(names, own, strict=True)]

    def _told(self, service: str, replica: int) -> dict[str, str | None]:
        connections = self._endpoints.service_connection_strings
        of_all = connections.get(service, self._endpoints.servicebus_connection_string)
        process = replica_names(service, self._spec.services[service].most)[replica]
        return {
            "PYTHONUNBUFFERED": "1",
            "PORT": str(self._ports[service][replica]),
            "DATABASE_URL": self._endpoints.service_postgres_urls.get(service, self._endpoints.postgres_url),
            "PGAPPNAME": f"{self._prefix}{process}" if self._endpoints.postgres_url is not None else None,
            "AZURE_STORAGE_CONNECTION_STRING": self._endpoints.blobs_connection_string,
            "AZURE_SERVICEBUS_CONNECTION_STRING": connections.get(process, of_all),
            "AZURE_OPENAI_ENDPOINT": self._endpoints.openai_url,
            "AZURE_OPENAI_API_KEY": self._endpoints.openai_keys.get(service),
            **self._own_variables(process),
        }

    # -- stop, kill, pause ---------------------------------------------------------------------------------------------

    def stop(self, service: str) -> None:
        self._each(service, self._children.stop)

    def kill(self, service: str) -> None:
        self._each(service, self._children.kill)

    def pause(self, service: str) -> None:
        self._each(service, self._children.pause)

    def resume(self, service: str) -> None:
        self._each(service, self._children.resume)

    def _each(self, service: str, operation: Callable[[str], None]) -> None:
        self._all(self._running(service), operation)

    def _all(self, names: Sequence[str], operation: Callable[[str], None]) -> None:
        if len(names) == 1:
            operation(names[0])
        elif names:
            with ThreadPoolExecutor(len(names), thread_name_prefix="each-replica") as pool:
                list(pool.map(operation, names))

    def revive(self) -> None:
        """Whatever a case did to them: every service has the replicas that a case begins with, none is paused."""
        children = self.resume_all()
        running = {child["name"] for child in children if child["code"] is None}
        for service, definition in self._spec.services.items():
            self._wanted[service] = definition.initial
            surplus = [self._name(service, n) for n in range(definition.initial, definition.most)]
            self._all([name for name in surplus if name in running], self._children.kill)
        for service in self._spec.services:
            if any(self._name(service, n) not in running for n in range(self._wanted[service])):
                self.start_all()
                return

    def resume_all(self) -> list[dict[str, Any]]:
        """Let whatever was paused go on; all children."""
        children = self._children.all(self._prefix)
        for child in children:
            if child["paused"] and child["code"] is None:
                self._children.resume(child["name"])
        return children

    def end_changed(self) -> list[str]:
        """Stop what was started from sources that have changed since; the names, which `start_all` starts again."""
        ended = []
        for child in self._children.all(self._prefix):
            service = child["meta"]["service"]
            if child["code"] is None and child["meta"]["source"] != self._source(service):
                self._children.kill(child["name"])
                ended.append(service)
        return ended

    def end_all(self) -> None:
        """SIGKILL everything; returns when all of it is gone."""
        self._children.end_all(self._prefix)

    def close(self) -> None:
        self._end_listening()


def replicas(services: Mapping[str, Service]) -> int:
    """How many ports they need; a service of no replicas has one as well, so that its URL can be named."""
    return sum(max(1, service.most) for service in services.values())
