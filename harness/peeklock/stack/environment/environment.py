"""One environment: a database, an account, a namespace and services, leased by one run."""

from __future__ import annotations

import secrets
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future, wait
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from peeklock import telemetry
from peeklock.errors import PeeklockError
from peeklock.scenario.services import process_names, replica_names
from peeklock.scenario.topology import ServiceBus
from peeklock.servicebus.ledger import Entry
from peeklock.stack.backend import Clock, Endpoints, EnvironmentSpec, Faults, HeldOperation, Hold, Services
from peeklock.stack.clock.movable import Member, MovableClock, RealClock
from peeklock.stack.environment.dependencies import OwnDependencies
from peeklock.stack.environment.doors import TELEMETRY
from peeklock.stack.environment.endpoints import addresses, endpoints_of, through
from peeklock.stack.environment.faults import EnvironmentFaults
from peeklock.stack.environment.host_stack import HostStack
from peeklock.stack.environment.leases import kinds_of
from peeklock.stack.environment.leftovers import end_leftovers
from peeklock.stack.environment.made_at_start import note_made, tables_of
from peeklock.stack.environment.record import Record
from peeklock.stack.environment.services import LocalServices
from peeklock.stack.environment.standin_keys import make_standin_keys
from peeklock.stack.errors import StackError
from peeklock.stack.names.names import Names
from peeklock.stack.names.tls_front import authorities
from peeklock.stack.project.folder import passing_folder
from peeklock.stack.servers.group import KINDS
from peeklock.stack.servers.ledger_feed import LedgerFeed
from peeklock.stack.servers.relay import RelayServer
from peeklock.stack.servers.servicebus import ROOT_RULE, control_topology, service_rule
from peeklock.standins import StandIn
from peeklock.supervision.client import SupervisorClient
from peeklock.supervision.commands import Commands
from peeklock.telemetry import Telemetry
from peeklock.telemetry.variables import telemetry_variables

if TYPE_CHECKING:
    from peeklock.stack.environment.listeners import Listeners
    from peeklock.stack.identities import Identities
    from peeklock.telemetry import Receiver

FORGIVEN = 60.0
"""Seconds that a service may have been ahead or behind and go on: no token or cache lasts so short that it would matter."""


def _listening() -> ModuleType:
    from peeklock.stack.environment import listeners  # 70 ms, for files that have any

    return listeners


class LocalEnvironment:
    """Implements `backend.Environment`. Made by `LocalStack.environment`."""

    def __init__(
        self, supervisor: SupervisorClient, stack: HostStack, pool: Executor, spec: EnvironmentSpec, record: Record,
        on_close: Callable[[LocalEnvironment], None],
    ) -> None:  # fmt: skip
        record.name = spec.name
        self.record = record
        self.log_dir = Path(record.log_dir)
        self._supervisor, self._stack, self._pool, self._spec = supervisor, stack, pool, spec
        self._on_close = on_close
        self._feed: LedgerFeed | None = None
        self._dependencies = OwnDependencies(supervisor, stack, record.namespace, lambda: self._feed)
        self.condemned = False
        self._idle = threading.Event()
        self._closed = False
        self.endpoints = Endpoints()
        self.services: Services
        self.faults: Faults
        self.seen = Endpoints()
        self._faults: EnvironmentFaults | None = None
        self._relay: RelayServer | None = None
        self._services: LocalServices | None = None
        self._listeners: Listeners | None = None
        self.identities: Identities | None = None
        self._receiver: Receiver | None = None
        self._clock = self._movable_clock() if spec.movable_clock else None
        self.commands = Commands(supervisor)

    @property
    def standins(self) -> Mapping[str, StandIn]:
        return self._listeners.standins if self._listeners is not None else {}

    @property
    def telemetry(self) -> Telemetry | None:
        return self._receiver.telemetry if self._receiver is not None else None

    @property
    def clock(self) -> Clock:
        return self._clock or RealClock()

    def _movable_clock(self) -> MovableClock:
        file, wanted, servers = self._stack.offset_file, self._spec.stack, self._stack.servers
        if file is None:
            raise StackError("only an environment with a stack of its own can have a clock that is moved")
        members: dict[str, Member] = {}
        if wanted.postgres is not None:
            members["postgres"] = lambda: servers.postgres().time()
        if wanted.blobs is not None:
            members["blobs"] = lambda: servers.blobs().time()
        bus = servers.servicebus if wanted.servicebus is not None else None
        return MovableClock(file, members, lambda: file.left_out(self._stack.children.leaders(self.record.prefix)), bus)

    @property
    def dependencies(self) -> OwnDependencies:
        if not self._spec.lasting:
            raise StackError("the dependencies of this environment are shared with others, so they cannot be ended")
        return self._dependencies

    # -- bringing up ---------------------------------------------------------------------------------------------------

    def open(self, fresh: bool, progress: Callable[[str], None]) -> None:
        """Make everything (`fresh`), or take over a warm one: dependencies emptied, services ready when it returns."""
        stack = self._spec.stack
        tasks: dict[str, Future[None]] = {}
        if stack.postgres is not None:
            tasks["postgres"] = self._pool.submit(lambda: self._reset_database(progress))
        self._open_identities()
        if stack.servicebus is not None:
            tasks["servicebus"] = self._pool.submit(self._make_namespace if fresh else self._reset_namespace)
        if stack.blobs is not None:
            tasks["blobs"] = self._pool.submit(self._reset_containers)
        for part in ("servicebus", "postgres"):
            if part in tasks:
                tasks[part].result()
        # Azurite is the slowest to start and the last that a service turns to: services begin to load meanwhile.
        make_standin_keys(self.record, stack, self._spec.services)
        self._certify_hosts()
        self._set_endpoints(planned=True)
        self._open_relay()
        self._open_listeners()
        services = self._make_services()
        blobs = tasks.get("blobs")
        if not fresh:
            if blobs is not None:
                blobs.result()
            if self.identities is not None:
                self._publish_roles()  # whoever was here before may have left others
            services.end_changed()
            services.revive()
        else:
            tables = tables_of(self._spec, self.record, self._stack.servers)
            if self._spec.before_services is not None:
                if blobs is not None:
                    blobs.result()
                self._spec.before_services(self)
            try:
                services.start_all(blobs)
            except PeeklockError:
                if blobs is not None:
                    blobs.result()  # when Azurite failed, that is the error to tell
                raise
        if blobs is not None:
            blobs.result()
        actual = self._endpoints(planned=False)
        if actual != self.endpoints:  # Azurite's port was taken in between, so services were told a wrong one
            services.end_all()
            services.close()
            self._set_endpoints(planned=False)
            if self._relay is not None:
                self._relay.ask("route", target="blobs", port=self._stack.servers.blobs().port)
            self._make_services().start_all()
        if fresh:
            note_made(self._spec, self.record, self._stack.servers, tables)
        bus = self._stack.servers.servicebus() if stack.servicebus is not None else None
        self.faults = self._faults = EnvironmentFaults(
            bus, self.record.namespace, self._relay, self._relayed(), self.standins
        )
        self._faults.forget()

    @property
    def made_at_start(self) -> str:
        made = self.record.made_tables
        return f"they make {', '.join(made)} in the database at their start" if made else ""

    def _set_endpoints(self, planned: bool) -> None:
        self.endpoints = self._endpoints(planned)
        seen = through(self.endpoints, self.record.relay_ports) if self._spec.relayed else self.endpoints
        self.seen = replace(seen, names=self._names(addresses(seen)))

    def _names(self, ports: Mapping[str, int]) -> Names | None:
        led, doors = self._spec.stack.production_names, self.record.door_ports
        if not led and not doors:
            return None
        bus = self._spec.stack.servicebus
        ours = authorities() + "".join(self.record.host_certificate[:1]) if doors else ""
        theirs = self._stack.servers.servicebus().authority() if bus is not None and bus.name is not None else ""
        places = {**ports, **doors}
        return Names({name: places[place] for name, place in led.items()}, ours if theirs in ours else ours + theirs)

    def _open_relay(self) -> None:
        if not self._spec.relayed:
            return
        if self.record.relay is not None:
            self._relay = RelayServer(self.record.relay)
            return
        targets = addresses(self.endpoints)
        for service, ports in self.record.ports.items():
            targets |= zip(replica_names(service, len(ports)), ports, strict=True)
        protocols = {"postgres": "postgres", "servicebus": "bytes"}
        listeners = {
            name: {
                "doors": self.record.relay_ports[name],
                "target": port,
                "protocol": protocols.get(name, "http"),
            }
            for name, port in targets.items()
        }
        self._relay = RelayServer.start(self._supervisor, self.record.relay_process, self.log_dir, listeners)
        self.record.relay = self._relay.state

    def _relayed(self) -> list[str]:
        """What the relay stands before: a server that is somebody else's is reached without it."""
        there = addresses(self.endpoints)
        return [name for name in self.record.relay_ports if name in there or name not in KINDS]

    def _certify_hosts(self) -> None:
        hosts = [each.host for each in self._spec.stack.http.values() if each.host is not None]
        if hosts and not self.record.host_certificate:
            self.record.host_certificate = [*_listening().host_certificate(hosts)]

    def _open_listeners(self) -> None:
        spec = self._spec
        if spec.stack.telemetry is not None:
            processes = {*spec.services, *process_names(spec.services)}
            self._receiver = telemetry.Receiver(self.record.standin_ports["telemetry"], processes, self._now)
        if spec.stack.openai is None and not spec.stack.http and not self.record.door_ports:
            return
        surroundings = None
        if spec.surroundings is not None:
            surroundings = spec.surroundings(
                self.endpoints, self.record.ports, self.commands, self.log_dir, lambda: self.seen.names
            )
            surroundings = replace(surroundings, now=self._now)
        self._listeners = _listening().Listeners(
            spec, self.record, lambda: self.seen, self._now, surroundings, self.identities
        )

    def _open_identities(self) -> None:
        stack, record = self._spec.stack, self.record
        if stack.identities:
            self.identities = _listening().Identities(
                stack, self._spec.services, record.standin_ports["identities"], record.identity_keys, self._now,
                self._publish_roles, self._private_folder,
            )  # fmt: skip

    def _private_folder(self) -> Path:
        return passing_folder(self._supervisor, Path(tempfile.gettempdir()))

    def _publish_roles(self) -> None:
        """Let the namespace know what tokens are worth now."""
        bus = self._spec.stack.servicebus
        if bus is not None and self.record.namespace_port is not None:
            self._stack.servers.servicebus().change_namespace(
                self.record.namespace, self._topology(bus, self.record.namespace_port)
            )

    def _topology(self, bus: ServiceBus, port: int) -> dict[str, Any]:
        identity = self.identities.namespace_identity() if self.identities is not None else None
        return control_topology(bus, self.record.keys, port) | {"identity": identity}

    def _told(self, process: str) -> Mapping[str, str | None]:
        """Return what one process is told that others are not."""
        told = {} if self.identities is None else dict(self.identities.variables(process))
        if (asked := self._spec.stack.telemetry) is not None:
            service = process if process in self._spec.services else process.rpartition(".")[0]
            port, door = self.record.standin_ports["telemetry"], self.record.door_ports.get(TELEMETRY, 0)
            told |= telemetry_variables(port, door, process, service, asked.protocols)
        return told

    def _now(self) -> float:
        return self.clock.now().timestamp()

    def _connections(self) -> list[tuple[str, str, tuple[str, str]]]:
        if self._spec.stack.postgres is None or self._dependencies.away("postgres"):
            return []
        return self._stack.servers.postgres().connections(self.record.prefix)

    def _make_services(self) -> LocalServices:
        self.services = self._services = LocalServices(
            self._supervisor, self._stack.children, self._stack.launcher(self._spec, self.record, self.endpoints), self.record.prefix,
            self._spec, self.seen, self.record.ports, self.log_dir,
            {name: doors[""] for name, doors in self.record.relay_ports.items()},
            self._told, self.record.identity_keys.values(), self._connections,
        )  # fmt: skip
        return self._services

    def _endpoints(self, planned: bool) -> Endpoints:
        return endpoints_of(self._spec, self.record, self._stack, self.identities, planned=planned)

    def _reset_database(self, progress: Callable[[str], None]) -> None:
        postgres = self._spec.stack.postgres
        if postgres is None:
            return
        server = self._stack.servers.postgres()
        # Asked for each time: in a warm stack the migrations may have changed since.
        self.record.template = server.template(postgres, self._spec.root, self.log_dir, progress)
        server.clone(self.record.database, self.record.template)

    def _make_namespace(self) -> None:
        bus = self._spec.stack.servicebus
        if bus is None:
            return
        services = [service_rule(service) for service in process_names(self._spec.services)]
        for name in (ROOT_RULE, *bus.access_rules, *services):
            self.record.keys.setdefault(name, secrets.token_urlsafe(32))
        server = self._stack.servers.servicebus()
        server.delete_namespace(self.record.namespace)  # left by a run that was killed while it made it
        self.record.namespace_port = server.create_namespace(
            self.record.namespace, self._topology(bus, server.port(self.record.slot))
        )
        self._feed = LedgerFeed(server, self.record.namespace)

    def _reset_namespace(self) -> None:
        if self._spec.stack.servicebus is None:
            return
        server = self._stack.servers.servicebus()
        if self._feed is None:
            self._feed = LedgerFeed(server, self.record.namespace)
        self._feed.begin(server.reset(self.record.namespace))

    def _reset_containers(self) -> None:
        blobs = self._spec.stack.blobs
        if blobs is not None:
            wanted = [*blobs.containers, *self.record.made_containers]
            self._stack.servers.blobs().reset(self.record.slot, wanted)

    # -- while a case runs ---------------------------------------------------------------------------------------------

    def reset(self, at: datetime | None = None) -> int:
        self._dependencies.revive()
        anew = self._set_clock(at)
        if self.record.made_tables and self._services is not None:
            self._services.end_all()  # what they made goes with the database
        if self._faults is not None:
            self._faults.forget()
        self._reset_namespace()
        if self._services is not None and self._spec.stack.servicebus is not None:
            self._services.resume_all()
            cut_off = self._dependencies.cut_off()
            if end_leftovers(self._stack.servers.servicebus(), self.record.namespace, self._services, cut_off):
                self._reset_namespace()  # of what they have sent meanwhile
        for standin in self.standins.values():
            standin.reset()
        if self.identities is not None:
            self.identities.reset()
        work = [self._reset_containers]
        if self.record.template is not None:
            template = self.record.template
            work.append(lambda: self._stack.servers.postgres().clone(self.record.database, template))
        tasks = [self._pool.submit(step) for step in work]
        wait(tasks)  # all of them: none may go on behind the back of whoever hears that another has failed
        for task in tasks:
            task.result()
        if self._services is not None:
            self._services.revive()
        if self._receiver is not None:
            self._receiver.telemetry.begin(anew=anew)
        return self._feed.cursor if self._feed is not None else 0

    def _set_clock(self, at: datetime | None) -> bool:
        """Have it be the time at which a case begins; return whether all services were ended for it."""
        if self._clock is None:
            if at is not None:
                raise StackError("the clock of this environment is the machine's", actual=f"asked to begin at {at}")
            return False
        offset = 0.0 if at is None else at.timestamp() - time.time()
        # What they remember is of another time: tokens that never seem to end, or have not begun; caches that stay.
        moved = self._services is not None and abs(self._clock.offset - offset) > FORGIVEN
        if self._services is not None and moved:
            self._services.end_all()
        self._clock.reset(offset)
        return moved

    def ledger(self, after: int, wait: float = 0.0) -> tuple[list[Entry], int]:
        if self._feed is None:
            self._idle.wait(wait)
            return [], after
        return self._feed.read(after, wait)

    def queues(self) -> list[dict[str, Any]]:
        if self._spec.stack.servicebus is None or self._dependencies.away("servicebus"):
            return []
        return self._stack.servers.servicebus().entities(self.record.namespace)

    def session(self, entity: str, session_id: str) -> dict[str, Any]:
        return self._stack.servers.servicebus().session(self.record.namespace, entity, session_id)

    def hold(self, held: HeldOperation) -> Hold:
        return self._stack.servers.servicebus().hold(self.record.namespace, held)

    def check(self) -> None:
        self._stack.servers.check([kind for kind in kinds_of(self._spec) if not self._dependencies.away(kind)])

    def on_change(self, wake: Callable[[], None]) -> Callable[[], None]:
        ends = [self._services.on_change(wake)] if self._services is not None else []
        if self._feed is not None:
            ends.append(self._feed.on_change(wake))
        if self._relay is not None:
            ends.append(self._supervisor.listen(self.record.relay_process, lambda _push: wake()))
        ends += [standin.journal.on_change(wake) for standin in self.standins.values()]
        if self._receiver is not None:
            ends.append(self._receiver.telemetry.on_change(wake))

        def end() -> None:
            for each in ends:
                each()

        return end

    # -- giving back ---------------------------------------------------------------------------------------------------

    def condemn(self) -> None:
        """Somebody may still be at work in it: `close` takes it down, so that nobody has it again."""
        self.condemned = True
        self.record.complete = False

    def close(self) -> None:
        if self._closed:
            return
        self._on_close(self)
        self.let_go()

    def let_go(self) -> None:
        """Stop listening and reading; what the environment is made of stays as it is."""
        self._closed = True
        self._idle.set()
        if self._feed is not None:
            self._feed.close()
        self._close_listeners()
        if self._services is not None:
            self._services.close()
        if self._faults is not None:
            self._faults.close()

    def _close_listeners(self) -> None:
        if self._listeners is not None:
            self._listeners.close()
        if self.identities is not None:
            self.identities.close()
        if self._receiver is not None:
            self._receiver.close()
