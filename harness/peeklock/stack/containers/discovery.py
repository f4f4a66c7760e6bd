"""Where the container engine of this machine is: Docker, its rootless kind, or podman."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from peeklock.stack.containers.engine import Engine, EngineError
from peeklock.stack.containers.errors import no_engine
from peeklock.stack.errors import StackError

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def find_engine() -> Engine:
    """The engine that `docker` itself would use, else the first socket that answers. Raises `StackError` that tells what was tried.

    Takes about a millisecond where there is none. Only engines of this machine serve: what they publish on 127.0.0.1 must
    be reachable here.
    """
    checked = []
    for source, address in _candidates():
        try:
            engine = _reachable(address)
        except EngineError as error:
            checked.append(f"{source}: {address}: {error.text}")
        else:
            return engine
        if source in ("DOCKER_HOST", "the docker context"):
            break  # it was chosen; another engine than the chosen one would be a surprise
    raise no_engine(checked)


def main() -> None:
    """Print which engine answers, or why none does and end with 3: for `make docker`, which runs before anything is installed."""
    try:
        print(find_engine())
    except StackError as error:
        print(error, file=sys.stderr)
        sys.exit(3)


def _reachable(address: str) -> Engine:
    parts = urlsplit(address)
    if parts.scheme == "unix":
        try:
            there = Path(parts.path).exists()
        except OSError as error:  # its folder is somebody else's, as after `su`
            raise EngineError(0, f"{type(error).__name__}: {error.strerror}") from error
        if not there:
            raise EngineError(0, "there is no such socket")
    elif parts.scheme not in ("tcp", "http") or parts.hostname not in _LOOPBACK:
        raise EngineError(
            0, "not on this machine, so the ports that it publishes on 127.0.0.1 cannot be reached from here"
        )
    engine = Engine(address)
    engine.ping()
    return engine


def _candidates() -> Iterator[tuple[str, str]]:
    """Where an engine may be, with a word on why we look there."""
    if named := os.environ.get("DOCKER_HOST"):
        yield "DOCKER_HOST", named
        return
    if (chosen := _context()) is not None:
        yield "the docker context", chosen
        return
    home, runtime = _home(), os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    yield "Docker", "unix:///var/run/docker.sock"
    yield "rootless Docker", f"unix://{runtime}/docker.sock"
    yield "Docker Desktop", f"unix://{home}/.docker/run/docker.sock"
    yield "Docker Desktop", f"unix://{home}/.docker/desktop/docker.sock"
    yield "podman", f"unix://{runtime}/podman/podman.sock"
    yield "podman", "unix:///run/podman/podman.sock"


def _context() -> str | None:
    """The address of the chosen docker context; None for the default one."""
    folder = Path(os.environ.get("DOCKER_CONFIG") or _home() / ".docker")
    name = os.environ.get("DOCKER_CONTEXT") or _read(folder / "config.json").get("currentContext")
    if not name or name == "default":
        return None
    meta = _read(folder / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest() / "meta.json")
    address = meta.get("Endpoints", {}).get("docker", {}).get("Host")
    return str(address) if address else f"context {name}, which names no engine"


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:  # a user without a home
        return Path("/")


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
