"""The warm stack of a project: `peeklock up`, `down`, `status`, `reset`. Everything returns data; nothing prints."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from peeklock.errors import PeeklockError
from peeklock.stack.choice import choose_backend
from peeklock.stack.containers.discovery import find_engine
from peeklock.stack.containers.engine import STACK_LABEL, EngineError
from peeklock.stack.containers.errors import engine_refused
from peeklock.stack.containers.ownership import sweep as sweep_engine
from peeklock.stack.errors import StackError
from peeklock.stack.local import ports_of
from peeklock.stack.open import find_warm, stack_class
from peeklock.stack.progress import Progress, silent
from peeklock.stack.project.cache import locked
from peeklock.stack.project.folder import ProjectFolder, roots_with_stacks
from peeklock.stack.servers.group import KINDS
from peeklock.stack.warm.kept import end_kept, kept_stacks
from peeklock.supervision.client import SupervisorClient


@dataclass(frozen=True, slots=True)
class Running:
    """One process of the stack."""

    name: str
    """`postgres`, `azurite`, `servicebus`, or `<environment>/<service>.<replica>`."""
    pid: int
    since: float
    """Unix seconds."""
    ended: int | None
    """Its exit status when it is no longer there."""
    paused: bool
    service: bool
    """Or one of what a service stands on: a server, a relay, a tunnel."""

    @classmethod
    def of(cls, child: Mapping[str, Any], environments: Mapping[str, str]) -> Running:
        """Read a child as the supervisor tells of it. `environments`: by the beginning of their services' names, as `env3`."""
        service = child["name"].partition(":")[0] in environments
        shown = _shown(child["name"], environments)
        return cls(shown, child["pid"], child["started"], child["code"], child["paused"], service)


@dataclass(frozen=True, slots=True)
class Kept:
    """A stack of a single scenario file that a run has left standing."""

    name: str
    ports: Mapping[str, int]
    """By `postgres`, `blobs`, `servicebus` (its control port)."""
    log_dir: Path


@dataclass(frozen=True, slots=True)
class Status:
    """What `peeklock status` shows. Holds no secret."""

    up: bool
    root: Path
    """Whose stack it is, or would be."""
    backend: str = ""
    pid: int | None = None
    since: float | None = None
    """Unix seconds."""
    log_dir: Path | None = None
    ports: Mapping[str, int] | None = None
    """By `postgres`, `blobs`, `servicebus` (its control port)."""
    processes: tuple[Running, ...] = ()
    environments: tuple[str, ...] = ()
    """Names of the scenario files whose environment is kept."""
    in_use: int = 0
    """How many of them a run uses in this moment."""
    kept: tuple[Kept, ...] = ()
    elsewhere: tuple[Path, ...] = ()
    """Other projects of this user that have a stack up."""
    took: float | None = None
    """Seconds that `up` needed; absent when it was up already."""


WARM_ROOM = 16
"""Environments of a warm stack: one is kept for each scenario file; the oldest makes room."""


def up(
    root: Path, progress: Progress = silent, ports: Mapping[str, int] | None = None, backend: str = "auto"
) -> Status:
    """Bring up a stack that outlives this process; when one is up, leave it as it is. Raises `StackError`.

    One of another backend than the one asked for, or of images that have been built anew since, is ended first, unless a run
    uses it. `ports`: fixed ports for `postgres` and `blobs`.
    """
    folder = ProjectFolder(root)
    folder.make()
    began = time.monotonic()
    with locked(folder.lock):
        found = folder.connect(holding_lock=True)
        if found is not None:
            found.close()
        chosen, _ = choose_backend(backend, root)
        if found is not None:
            same = find_warm(root, progress, chosen)
            if same is not None:
                same.close()
                return _status(root, took=None)
            _end_other(root, chosen)
        progress("starting Postgres, Azurite and Service Bus")
        stack = stack_class(chosen).start(root, KINDS, progress, ports, room=WARM_ROOM)
        try:
            stack.servers.wait()
            stack.settle(root)
        except BaseException:
            stack.end()
            raise
        stack.close()
    return _status(root, took=time.monotonic() - began)


def _end_other(root: Path, wanted: str) -> None:
    held = _status(root, took=None).in_use
    if held:
        raise StackError(
            "another stack of this project is up, and a run is using it",
            expected=f"one of the {wanted} backend, made of what it is made of now",
            actual=f"{held} environments in use",
            fix="wait for that run, or `peeklock down`",
        )
    down(root)


def down(root: Path) -> bool:
    """End the warm stack with everything below it, and what runs have left standing beside it; False when there was nothing.
    Migrated templates are kept for the next one."""
    ended = end_kept(root)
    stack = find_warm(root)
    if stack is not None:
        stack.end()
    return stack is not None or bool(ended)


def end_with_this_process(root: Path) -> None:
    """Let the warm stack end when this process does, however it does."""
    supervisor = ProjectFolder(root).connect()
    if supervisor is not None:
        supervisor.call("end_with", pid=os.getpid())
        supervisor.close()


def sweep() -> tuple[int, int]:
    """Remove what Peeklock has left at the container engine of this machine when its processes were killed; raises `StackError`.

    How many containers, networks and volumes were removed, and how many are left because their owner runs or cannot be seen.
    """
    engine = find_engine()
    try:
        return sweep_engine(engine), len(engine.labelled(STACK_LABEL))
    except EngineError as error:
        raise engine_refused(engine, "remove what is left", error) from error


def status(root: Path) -> Status:
    """What is up."""
    return _status(root, took=None)


def _status(root: Path, took: float | None) -> Status:
    elsewhere = tuple(other for other in roots_with_stacks() if other != root)
    down = Status(up=False, root=root, kept=tuple(_kept(root)), elsewhere=elsewhere)
    supervisor = ProjectFolder(root).connect()
    if supervisor is None:
        return down
    try:
        hello = supervisor.call("hello")
        state: Mapping[str, Any] | None = supervisor.call("get", key="stack")["value"]
        if state is None:
            return down
        records = _records(supervisor)
        environments = {f"env{record['slot']}": record["name"] for record in records.values()}
        processes = [Running.of(child, environments) for child in supervisor.call("children")["children"]]
        held = [key for key in supervisor.call("leases")["keys"] if key in records]
        return replace(
            down,
            up=True,
            backend=state["backend"],
            pid=hello["pid"],
            since=hello["started"],
            log_dir=Path(state["log_dir"]),
            ports=ports_of(state),
            processes=tuple(processes),
            environments=tuple(record["name"] for record in records.values()),
            in_use=len(held),
            took=took,
        )
    except PeeklockError:  # it ended while it was asked
        return down
    finally:
        supervisor.close()


def _kept(root: Path) -> Iterator[Kept]:
    for name, stack in kept_stacks(root):
        with stack:
            yield Kept(name, stack.ports, stack.log_dir)


def reset(root: Path) -> int:
    """Take down every environment that no run uses: the next runs make theirs anew. Returns how many. Raises `StackError`."""
    stack = find_warm(root)
    if stack is None:
        raise StackError("no stack is up", where=str(root), fix="`peeklock up` first")
    try:
        return stack.end_environments()
    finally:
        stack.close()


def restart(root: Path, name: str) -> None:
    """End a service of the warm stack in order, and start it once more as it was. `name`: as `Running` has it. Raises `StackError`."""
    stack = find_warm(root)
    if stack is None:
        raise StackError("no stack is up", where=str(root), fix="`peeklock up` first")
    with stack:
        environments = {f"env{record.slot}": record.name for record in stack.records()}
        known = [each["name"] for each in stack.children.all("env")]
        found = {_shown(child, environments): child for child in known}
        if name not in found:
            raise StackError(
                f"there is no service {name!r} on the warm stack",
                where=str(root),
                expected=f"one of {', '.join(found)}" if found else "one that a run has left",
                fix="see `peeklock status`",
            )
        stack.children.stop(found[name])
        stack.children.start_again(found[name])


def _shown(child: str, environments: Mapping[str, str]) -> str:
    """Return a child's name as people see it: `orders/worker.0` for `env3:worker.0`."""
    environment, _, rest = child.partition(":")
    return f"{environments.get(environment, environment)}/{rest}" if rest else child


def _records(supervisor: SupervisorClient) -> dict[str, Mapping[str, Any]]:
    keys = supervisor.call("keys", prefix="environment/")["keys"]
    return {key: value for key in keys if (value := supervisor.call("get", key=key)["value"]) is not None}
