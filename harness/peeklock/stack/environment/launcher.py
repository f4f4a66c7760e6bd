"""How one replica of a service is brought to life: as a process, or whatever else a backend has for it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from peeklock.scenario.services import Service
from peeklock.stack.clock import faketime
from peeklock.stack.clock.offset_file import OffsetFile
from peeklock.stack.environment.fingerprint import fingerprint
from peeklock.stack.environment.forking import program_of
from peeklock.stack.errors import StackError
from peeklock.stack.loopback import undiverted
from peeklock.stack.names.names import Names
from peeklock.stack.names.variables import led
from peeklock.supervision.client import SupervisorClient

_LAYER = 1


@dataclass(frozen=True, slots=True)
class Launch:
    """One replica that is to be started as the supervisor's child `name`."""

    name: str
    title: str
    """For people."""
    service: Service
    argv: Sequence[str]
    port: int
    told: Mapping[str, str | None]
    """Variables that tell it where things are; None: there is no such thing, whatever the caller's own environment says."""
    own: Mapping[str, str]
    """The scenario's `env`."""
    names: Names | None
    """Production names by which it reaches its environment."""
    log: Path
    secrets: Sequence[str]
    meta: Mapping[str, Any]

    def options(self) -> dict[str, Any]:
        """For the supervisor."""
        return {"log": str(self.log), "secrets": list(self.secrets), "layer": _LAYER, "grace": self.service.stop_grace}


class Launcher(Protocol):
    """Starts replicas. Thread-safe."""

    def source(self, service: Service) -> str:
        """A digest of what a service is made of, now."""

    def launch(self, launch: Launch) -> None:
        """Start a replica; returns when it runs, not when it is ready. Raises `StackError`."""


class ProcessLauncher:
    """Starts processes of this machine, which have the environment of this process and what they are told."""

    def __init__(self, supervisor: SupervisorClient, root: Path, preloaded: OffsetFile | None) -> None:
        """`root`: the working directory of services that name none; `preloaded`: the clock that they go by, if it is not the machine's."""
        self._supervisor, self._root, self._preloaded = supervisor, root, preloaded

    def source(self, service: Service) -> str:
        return fingerprint(service.watch, service.cwd or self._root)

    def launch(self, launch: Launch) -> None:
        cwd = launch.service.cwd or self._root
        argv = [resolve(launch.argv[0], launch.title, cwd), *launch.argv[1:]]
        env = self._environment(launch)
        program = program_of(argv, env, cwd, leaves=faketime.LEFTOVERS if self._preloaded is not None else ())
        pid = self._supervisor.spawn(
            launch.name, argv, env, cwd, meta=dict(launch.meta), program=program, **launch.options()
        )
        if self._preloaded is not None:
            self._preloaded.adopt(pid)

    def _environment(self, launch: Launch) -> dict[str, str]:
        env = {n: value for n, value in undiverted(os.environ).items() if not n.startswith("PEEKLOCK_")}
        env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env.get('PATH', os.defpath)}"
        for name, value in launch.told.items():
            env.pop(name, None)  # never the caller's own, which may be production's
            if value is not None:
                env[name] = value
        env |= launch.own
        env = led(launch.names, launch.log.parent.parent, env)
        return {**env, **(self._preloaded.variables if self._preloaded is not None else {})}


def resolve(command: str, wanted_by: str, cwd: Path) -> str:
    """The full path of a command: `python` is this interpreter; its neighbours come before PATH. Raises `StackError`."""
    if command in ("python", "python3"):
        return sys.executable
    if os.sep in command:
        path = Path(command) if Path(command).is_absolute() else cwd / command
        if path.exists():
            return str(path)
        raise _missing(command, wanted_by, [str(path)])
    neighbours = Path(sys.executable).parent
    found = shutil.which(command, path=str(neighbours)) or shutil.which(command)
    if found is None:
        raise _missing(command, wanted_by, [str(neighbours), "PATH"])
    return found


def _missing(command: str, wanted_by: str, checked: Sequence[str]) -> StackError:
    return StackError(
        f"the command {command!r} of {wanted_by} was not found",
        expected=f"an executable file named {command}",
        checked=checked,
        fix=f"install {command}, or write its full path in `run`",
    )
