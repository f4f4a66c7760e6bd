"""`LocalStack`: dependencies on this machine, started side by side; gives out environments, and ends everything."""

from __future__ import annotations

import contextlib
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

from peeklock.errors import PeeklockError
from peeklock.scenario.topology import Stack as StackSpec
from peeklock.stack.backend import Endpoints, Environment, EnvironmentSpec
from peeklock.stack.clock.movable import MovableClock
from peeklock.stack.clock.offset_file import OffsetFile
from peeklock.stack.environment.environment import LocalEnvironment
from peeklock.stack.environment.launcher import Launcher, ProcessLauncher
from peeklock.stack.environment.leases import Leases, kinds_of
from peeklock.stack.environment.record import Record
from peeklock.stack.errors import named_limits
from peeklock.stack.progress import Progress, silent
from peeklock.stack.project.folder import KEPT, ProjectFolder, new_folder
from peeklock.stack.servers.blobs import BlobServer
from peeklock.stack.servers.given_postgres import GivenPostgres
from peeklock.stack.servers.group import AnyServer, ServerGroup
from peeklock.stack.servers.postgres import PostgresServer
from peeklock.stack.servers.servicebus import ServiceBusServer
from peeklock.stack.servers.wanted import USUAL, WantedServers
from peeklock.supervision.children import Children
from peeklock.supervision.client import SupervisorClient

_STATE = "stack"
ROOM = 32
"""Environments of a stack, when nobody says how many it needs."""


class LocalStack(ABC):
    """What the backends that run on this machine share. Implements `backend.Stack`. Thread-safe."""

    backend: str

    def __init__(self, supervisor: SupervisorClient, state: Mapping[str, Any], progress: Progress, warm: bool) -> None:
        self.warm = warm
        self.log_dir = Path(state["log_dir"])
        self._supervisor = supervisor
        self.children = self._find_children(supervisor, state)
        self._state = dict(state)
        self._wanted = WantedServers.from_state(state["wanted"])
        self._progress = progress
        self.servers = ServerGroup(self.children, state.get("found", {}), self._start_server, self._find_server)
        self._leases = Leases(supervisor, self.log_dir, state["room"], self._take_down)
        self._pool = ThreadPoolExecutor(state["room"], thread_name_prefix="environment")
        self._environments: set[LocalEnvironment] = set()
        self._environments_lock = threading.Lock()
        self._closed = False
        self._private: set[LocalStack] = set()
        self._spare: list[tuple[WantedServers, LocalStack]] = []
        """Those of `_private` whose environment was closed and whose clock can be moved: the next one like it has them."""
        self._beside: dict[WantedServers, LocalStack] = {}
        """A stack for each choice of other servers that files have made."""
        self.keeping = False
        """Whether the private stacks of environments stay when these are closed, for somebody to look at (`kept`)."""
        self._owner: LocalStack | None = None
        """Present in a stack that has one environment at a time, which asked the owner for it."""
        self.offset_file = OffsetFile(supervisor, Path(state["clock"])) if "clock" in state else None
        """Present where the clock is not the machine's."""

    # -- what a backend brings -----------------------------------------------------------------------------------------

    @property
    def timings(self) -> Mapping[str, float]:
        return {
            **{kind: each for stack in self._beside.values() for kind, each in stack.timings.items()},
            **self.servers.timings,
        }

    @property
    def place(self) -> str:
        return ""

    @property
    @abstractmethod
    def abilities(self) -> frozenset[str]: ...

    @abstractmethod
    def why_not(self, ability: str) -> str: ...

    @abstractmethod
    def lacks(self, wanted: StackSpec) -> str: ...

    @classmethod
    @abstractmethod
    def _plan(cls, supervisor: SupervisorClient, ports: Mapping[str, int], room: int) -> dict[str, Any]:
        """What is settled before anything starts: ports, keys, where data goes, for `room` environments. Kept in the stack's state.

        Raises `StackError`.
        """

    @classmethod
    def is_current(cls, _state: Mapping[str, Any]) -> bool:
        """Whether a stack of this state is made of what one that starts now would be made of."""
        return True

    @abstractmethod
    def _start_server(self, kind: str) -> AnyServer:
        """Start the server of a kind; returns when it answers. Raises `StackError`."""

    def _find_server(self, kind: str, state: Mapping[str, Any]) -> AnyServer:
        """The server of a kind that another process has started."""
        if kind == "postgres":
            return (GivenPostgres if "url" in state else PostgresServer)(self._supervisor, state)
        if kind == "blobs":
            return BlobServer(self._supervisor, state)
        return ServiceBusServer(self._supervisor, state)

    def _find_children(self, supervisor: SupervisorClient, _state: Mapping[str, Any]) -> Children:
        """How its children are ended and started again."""
        return Children(supervisor)

    def launcher(self, spec: EnvironmentSpec, _record: Record, _endpoints: Endpoints) -> Launcher:
        """What starts the services of an environment."""
        return ProcessLauncher(self._supervisor, spec.root, self.offset_file)

    @abstractmethod
    def _prepare(self, movable_clock: bool) -> None:
        """Make what all servers need before the first of them starts. Raises `StackError`."""

    @abstractmethod
    def _keep(self) -> None:
        """The stack is about to end in order: keep what makes the next one quick."""

    # -- making one ----------------------------------------------------------------------------------------------------

    @classmethod
    def start(
        cls, root: Path, kinds: Iterable[str] = (), progress: Progress = silent, ports: Mapping[str, int] | None = None,
        log_dir: Path | None = None, owner: LocalStack | None = None, movable_clock: bool = False,
        lasting: bool = False, room: int = ROOM, wanted: WantedServers = USUAL,
    ) -> Self:  # fmt: skip
        """A stack of our own, which ends with this process. `kinds` begin to start at once; others when first asked for.

        `ports`: fixed ports by kind; when one is taken, that is a `StackError`. `log_dir`: a folder that exists; absent: a new one.
        `owner`: makes it one of the owner's private stacks, for one environment at a time. `lasting`: its servers can be ended and
        come back with their data. `room`: so many environments can stand at once; servers are told their accounts and ports at the start.
        `wanted`: which servers, where these are not the usual ones.
        """
        began = time.monotonic()
        log_dir = log_dir or ProjectFolder(root).new_log_dir()
        supervisor = SupervisorClient.start(log_dir / "supervisor.log")
        try:
            plan = cls._plan(supervisor, dict(ports or {}), room)
            state = {
                "backend": cls.backend,
                "log_dir": str(log_dir),
                "lasting": lasting,
                "room": room,
                "root": str(root),
                "wanted": wanted.state,
                **plan,
            }
            stack = cls(supervisor, state, progress, warm=False)
            stack.servers.began, stack._owner = began, owner
            stack._prepare(movable_clock)
            if stack.offset_file is not None:
                stack._state["clock"] = str(stack.offset_file.folder)
        except BaseException:
            supervisor.close()
            raise
        for kind in sorted(kinds):  # blobs come first: Azurite takes longest
            stack.servers.begin(kind)
        return stack

    def settle(self, root: Path, name: str = "stack") -> None:
        """Make this stack a warm one: it outlives this process and is found by its name through the project's folder."""
        folder = ProjectFolder(root, name)
        folder.make()
        folder.remove_marks()
        self._supervisor.call("put", key=_STATE, value={**self._state, "found": self.servers.states()})
        for mark in (folder.mark, folder.listed):
            self._supervisor.call("register", path=str(mark))
        self._supervisor.call("listen", path=str(folder.socket_path()))
        folder.mark_as_up()
        self._supervisor.detach()
        self.warm = True

    def planned_blobs(self, slot: int, containers: Sequence[str]) -> tuple[str, dict[str, str]]:
        """The connection string of an account, as it will be if nobody takes the port before Azurite does, and what its containers
        are called there."""
        called = {name: name for name in containers}
        if self.servers.stands("blobs"):
            return self.servers.blobs().connection_string(slot), called
        plan = self._state["plan"]["blobs"]
        return BlobServer.plan(plan["port"], plan["accounts"][slot + 1]), called

    # -- environments --------------------------------------------------------------------------------------------------

    def environment(self, spec: EnvironmentSpec) -> Environment:
        """A leased environment, reset, with its services ready. Raises `StackError`."""
        with named_limits():
            return self._environment(spec)

    def _environment(self, spec: EnvironmentSpec) -> Environment:
        if spec.private and self._owner is None:
            return self._private_environment(spec)
        wanted = WantedServers.of(spec.stack)
        if wanted != self._wanted and self._owner is None:
            return self._with(wanted).environment(spec)
        for kind in kinds_of(spec):
            self.servers.begin(kind)
        record, lease, fresh = self._leases.take(spec, self.warm)
        environment = LocalEnvironment(
            self._supervisor, self, self._pool, spec, record, lambda env: self._give_back(env, lease)
        )
        with self._environments_lock:
            self._environments.add(environment)
        try:
            environment.open(fresh, self._progress)
        except BaseException:
            environment.record.complete = False  # never to be taken for one that works
            self._discard(environment, lease)
            raise
        if lease is not None and fresh:
            record.complete = True
            self._leases.keep(lease, record)
        return environment

    def _with(self, wanted: WantedServers) -> LocalStack:
        """The stack for files that name these servers; it ends with this one."""
        with self._environments_lock:
            stack = self._beside.get(wanted)
            if stack is None:
                stack = self._beside[wanted] = type(self).start(
                    Path(self._state["root"]), (), self._progress, log_dir=new_folder(self.log_dir, "named.stack"),
                    room=self._state["room"], wanted=wanted,
                )  # fmt: skip
            return stack

    def _private_environment(self, spec: EnvironmentSpec) -> Environment:
        stack = self._take_spare(spec) or type(self).start(
            Path(self._state["root"]), kinds_of(spec), self._progress, log_dir=new_folder(self.log_dir, f"{spec.name}.stack"),
            owner=self, movable_clock=spec.movable_clock, lasting=spec.lasting, room=1, wanted=WantedServers.of(spec.stack),
        )  # fmt: skip
        stack.keeping = self.keeping
        self._private.add(stack)
        try:
            return stack.environment(spec)
        except BaseException:
            stack.end()
            raise

    def _take_spare(self, spec: EnvironmentSpec) -> LocalStack | None:
        if not spec.movable_clock or spec.lasting:
            return None
        wanted = WantedServers.of(spec.stack)
        with self._environments_lock:
            found = next((each for each in self._spare if each[0] == wanted), None)
            if found is None:
                return None
            self._spare.remove(found)
            return found[1]

    def part_with(self, stack: LocalStack) -> None:
        """Know no more of a private stack, which has ended or goes on by itself."""
        self._private.discard(stack)

    def _take_down(self, record: Record) -> None:
        """Remove everything that an environment is made of; as much as still can be."""
        for prefix in (record.prefix, *record.helpers):
            self.children.end_all(prefix)
        if record.namespace_port is not None and self.servers.stands("servicebus"):
            self.servers.servicebus().delete_namespace(record.namespace)
        if self.servers.stands("blobs"):
            self.servers.blobs().reset(record.slot, [])
        if record.template is not None and self.servers.stands("postgres"):
            self.servers.postgres().drop(record.database)

    def _give_back(self, environment: LocalEnvironment, lease: str | None) -> None:
        if self._owner is not None:
            self._give_back_to(self._owner, environment, lease)
            return
        with self._environments_lock:
            self._environments.discard(environment)
        if lease is None or environment.condemned:
            self._discard(environment, lease)
        else:
            with contextlib.suppress(PeeklockError):
                self._leases.give_back(lease, environment.record)

    def _give_back_to(self, owner: LocalStack, environment: LocalEnvironment, lease: str | None) -> None:
        """End, stay for somebody to look at, or be there for the next environment that moves its clock."""
        if self.keeping:
            self._stay(environment)
        elif environment.condemned or self._state["lasting"] or not isinstance(environment.clock, MovableClock):
            self.end()
        else:
            self._discard(environment, lease)
            try:
                environment.clock.reset()
            except PeeklockError:
                self.end()
                return
            owner.have_back(self, self._wanted)

    def have_back(self, stack: LocalStack, wanted: WantedServers) -> None:
        """Keep a private stack whose clock can be moved for the next environment like its last one."""
        with self._environments_lock:
            self._spare.append((wanted, stack))

    def _stay(self, environment: LocalEnvironment) -> None:
        """Outlive this process, in the place of one that an earlier run has left of the same file."""
        with self._environments_lock:
            self._environments.discard(environment)
        environment.let_go()
        name = f"{KEPT}{environment.record.name}"
        root = Path(self._state["root"])
        before = warm_state(root, name)
        if before is not None:
            type(self)(*before, self._progress, warm=True).end()
        self._leases.keep(f"environment/{KEPT}", environment.record)
        self.settle(root, name)
        self.close()
        if self._owner is not None:
            self._owner.part_with(self)

    def _discard(self, environment: LocalEnvironment, lease: str | None) -> None:
        with self._environments_lock:
            self._environments.discard(environment)
        with contextlib.suppress(PeeklockError):
            environment.let_go()
            self._take_down(environment.record)
            self._leases.free(environment.record)
            if lease is not None:
                self._leases.forget(lease)

    def records(self) -> list[Record]:
        """What stands in a warm stack: an environment each."""
        return self._leases.records()

    def end_environments(self) -> int:
        """Take down every environment of a warm stack that nobody uses; how many."""
        count = 0
        while self._leases.evict():
            count += 1
        return count

    # -- the end -------------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """An own stack ends, with everything below it; a warm one is only let go."""
        if self._closed:
            return
        self._closed = True
        self._end_private()
        if self.warm:
            with self._environments_lock:
                left = list(self._environments)
            for environment in left:
                environment.close()
            self._release()
            self._supervisor.close()
        else:
            self.end()

    def end(self) -> None:
        """End the stack for good, a warm one too. Templates made in it are kept for the next one."""
        self._closed = True
        self._end_private()
        with self._environments_lock:
            left, self._environments = self._environments, set()
        for environment in left:
            environment.let_go()
        with contextlib.suppress(Exception):  # whatever fails here, the supervisor must be told to end
            self.children.end_all("env")
            self.servers.tidy()
            self._keep()
        self._release()
        self._supervisor.shutdown(graceful=False)
        if self._owner is not None:
            self._owner.part_with(self)

    def _end_private(self) -> None:
        for stack in (*self._private, *self._beside.values()):
            stack.end()

    @property
    def ports(self) -> dict[str, int]:
        """Of a warm stack: see `ports_of`."""
        return ports_of(self._state)

    def _release(self) -> None:
        self.servers.close()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def warm_state(root: Path, name: str = "stack") -> tuple[SupervisorClient, dict[str, Any]] | None:
    """A connection to the supervisor of the warm stack of this project (or of another of its name) and the stack's state, or None."""
    supervisor = ProjectFolder(root, name).connect()
    if supervisor is None:
        return None
    state: dict[str, Any] | None = supervisor.call("get", key=_STATE)["value"]
    if state is None:  # `peeklock up` is at it in this moment, or died while it was
        supervisor.close()
        return None
    return supervisor, state


def ports_of(state: Mapping[str, Any]) -> dict[str, int]:
    """The ports of a warm stack's servers, by kind; of the Service Bus that of its control API."""
    return {kind: int(part.get("port") or part["control_port"]) for kind, part in state["found"].items()}
