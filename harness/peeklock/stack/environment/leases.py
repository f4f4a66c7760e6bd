"""Which environment of a stack is whose: slots, ports, and in a warm stack those that wait for the next run that can use them."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Callable
from pathlib import Path

from peeklock.scenario.services import replica_names
from peeklock.stack.backend import EnvironmentSpec
from peeklock.stack.environment.doors import wanted_doors
from peeklock.stack.environment.record import Record
from peeklock.stack.environment.services import replicas
from peeklock.stack.errors import StackError
from peeklock.stack.project.folder import new_folder
from peeklock.stack.servers.group import KINDS
from peeklock.supervision.client import RequestError, SupervisorClient


class Leases:
    """Those of one stack, with room for so many environments. Thread-safe, and across the processes that use a warm stack.

    `take_down(record)` removes everything that an environment is made of.
    """

    def __init__(
        self, supervisor: SupervisorClient, log_dir: Path, room: int, take_down: Callable[[Record], None]
    ) -> None:
        self._supervisor, self._log_dir, self._room, self._take_down = supervisor, log_dir, room, take_down

    def take(self, spec: EnvironmentSpec, warm: bool) -> tuple[Record, str | None, bool]:
        """The record of an environment that nobody else uses; the key of its lease in a warm stack; whether it is new."""
        if not warm or not spec.key:
            return self._new(spec), None, True
        for number in range(self._room):
            lease = f"environment/{spec.key}/{number}"
            if self._supervisor.call("lease", key=lease)["granted"]:
                known = self._supervisor.call("get", key=lease)["value"]
                if known is not None and known["complete"]:
                    return Record(**known), lease, False
                try:
                    return self._new(spec), lease, True
                except BaseException:
                    self._supervisor.call("release", key=lease)
                    raise
        raise _no_room(self._room)

    def keep(self, lease: str, record: Record) -> None:
        """Have it remembered what stands under a lease, which goes on."""
        self._supervisor.call("put", key=lease, value=dataclasses.asdict(record))

    def records(self) -> list[Record]:
        """Every environment that is remembered."""
        leases = self._supervisor.call("keys", prefix="environment/")["keys"]
        values = (self._supervisor.call("get", key=lease)["value"] for lease in leases)
        return [Record(**value) for value in values if value is not None]

    def give_back(self, lease: str, record: Record) -> None:
        """End a lease: whoever comes next may have the environment."""
        self.keep(lease, record)
        self._supervisor.call("release", key=lease)

    def forget(self, lease: str) -> None:
        """End a lease under which nothing stands any more."""
        self._supervisor.call("put", key=lease, value=None)
        self._supervisor.call("release", key=lease)

    def free(self, record: Record) -> None:
        """Give the ports and the slot of an environment back."""
        ports = [
            *(port for found in record.relay_ports.values() for port in found.values()),
            *record.standin_ports.values(),
            *record.door_ports.values(),
            *(port for found in record.ports.values() for port in found),
        ]
        self._supervisor.call("release_ports", ports=ports)
        self._supervisor.call("unclaim", pool="slots", number=record.slot)

    def evict(self) -> bool:
        """Make room: take down the environment that was made first among those nobody uses; False when there is none."""
        for lease in self._supervisor.call("keys", prefix="environment/")["keys"]:
            if self._supervisor.call("lease", key=lease)["granted"]:
                record = Record(**self._supervisor.call("get", key=lease)["value"])
                self._take_down(record)
                self.free(record)
                self.forget(lease)
                return True
        return False

    def _new(self, spec: EnvironmentSpec) -> Record:
        for attempt in (1, 2):
            try:
                slot = self._supervisor.call("claim", pool="slots", size=self._room, holder=spec.name)["number"]
                break
            except RequestError as error:
                if error.kind != "pool_exhausted" or attempt == 2 or not self.evict():
                    raise _no_room(self._room) from error
        replicas_of = (name for service, facts in spec.services.items() for name in replica_names(service, facts.most))
        standins = [name for name in ("openai", "identities", "telemetry") if getattr(spec.stack, name)] + list(
            spec.stack.http
        )
        faulty = [name for name in standins if name not in ("identities", "telemetry")]
        doors = wanted_doors(spec.stack)
        targets = [*kinds_of(spec), *faulty, *replicas_of] if spec.relayed else []
        entrances = {name: ["", *(spec.services if name == "postgres" else ())] for name in targets}
        own = len(standins) + len(doors) + sum(map(len, entrances.values()))
        ports = iter(self._supervisor.reserve_ports(replicas(spec.services) + own))
        by_service = {name: [next(ports) for _ in range(max(1, s.most))] for name, s in spec.services.items()}
        log_dir = new_folder(self._log_dir, spec.name)
        standin_ports = {name: next(ports) for name in standins}
        door_ports = {name: next(ports) for name in doors}
        relay_ports = {name: dict(zip(of, ports, strict=False)) for name, of in entrances.items()}
        return Record(
            slot=slot,
            name=spec.name,
            ports=by_service,
            log_dir=str(log_dir),
            standin_ports=standin_ports,
            door_ports=door_ports,
            door_secret=secrets.token_hex(32),
            relay_ports=relay_ports,
        )


def kinds_of(spec: EnvironmentSpec) -> list[str]:
    """The dependencies that an environment needs."""
    return [kind for kind in KINDS if getattr(spec.stack, kind) is not None]


def _no_room(count: int) -> StackError:
    return StackError(
        f"all {count} environments of the stack are in use",
        fix="run fewer scenario files in parallel, or end the other runs on this stack",
    )
