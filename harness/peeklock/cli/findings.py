"""What `peeklock doctor` looks at: nothing is fetched, started or changed."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import re
import resource
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from peeklock.errors import PeeklockError
from peeklock.reports.html import bundle
from peeklock.stack.azure.resources import VARIABLES, named
from peeklock.stack.choice import BACKENDS, choose_backend
from peeklock.stack.clock import faketime
from peeklock.stack.containers import discovery
from peeklock.stack.containers.engine import EngineError
from peeklock.stack.containers.images import wanted_images
from peeklock.stack.embedded.installed_postgres import installed, postgres
from peeklock.stack.embedded.tools import azurite_is_made, node
from peeklock.stack.project.cache import cache_dir

State = Literal["ok", "note", "lacks"]
"""`note`: it works, and somebody may want to know; `lacks`: something cannot be done until it is mended."""
LEAST_DISK = 1 << 30
"""Free bytes that a run with its logs, databases and blobs is likely to need."""
LEAST_FILES = 1024
"""Open files of one process: connections of a few services with full pools."""
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
_FOR_DEVELOPERS = frozenset({"dev", "services"})


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    group: str
    """`python`, a backend, `options` or `machine`."""
    name: str
    state: State
    text: str
    fix: str = ""


def findings(root: Path) -> Iterator[Finding]:
    """Look at everything, for the project at `root`."""
    yield _python()
    yield from _embedded()
    yield from _containers()
    yield from _azure()
    yield _chosen(root)
    yield from _options()
    yield from _machine(root)


def _python() -> Finding:
    return Finding("python", "version", "ok", f"{platform.python_version()} at {sys.executable}")


def _embedded() -> Iterator[Finding]:
    yield _tool("embedded", "postgres", lambda: f"{postgres().version} at {postgres().bin}")
    others = [f"{each.version} at {each.bin}" for each in installed()[1:]]
    if others:
        yield Finding("embedded", "other postgres", "ok", f"{'; '.join(others)}: `stack.postgres.version` chooses")
    yield _tool("embedded", "node", lambda: f"{node().version} at {node().node}")
    yield _made("embedded", "azurite", azurite_is_made, "the first run fetches it from npm, about 20 s")


def _containers() -> Iterator[Finding]:
    try:
        engine = discovery.find_engine()
    except PeeklockError as error:
        tried = "; ".join(error.checked)
        yield Finding("containers", "engine", "lacks", f"none answers: {tried}" if tried else str(error), error.fix)
        return
    yield Finding("containers", "engine", "ok", str(engine))
    if importlib.util.find_spec("testcontainers") is None:
        fix = "pip install 'peeklock[containers]'"
        yield Finding("containers", "testcontainers", "lacks", "the package is not installed", fix)
        return
    for kind, image in wanted_images().items():
        try:
            there = engine.has_image(image)
        except EngineError as error:
            yield Finding("containers", f"image {kind}", "lacks", f"the engine refuses: {error.text}")
            continue
        if there:
            yield Finding("containers", f"image {kind}", "ok", image)
        else:
            text = f"the engine has no {image}"
            yield Finding("containers", f"image {kind}", "lacks", text, f"peeklock images build {kind}")


def _azure() -> Iterator[Finding]:
    """Which resources are named; nothing is asked of the cloud, and no secret is told."""
    there = named()
    for kind, variable in VARIABLES.items():
        if kind in there:
            yield Finding("azure", kind, "ok", f"{variable} is set")
        else:
            what = "the URL of a Postgres" if kind == "postgres" else "a connection string"
            state: State = "note" if there else "lacks"
            yield Finding(
                "azure", kind, state, f"{variable} is not set", f"export {variable}={what} that only tests use"
            )


def _chosen(root: Path) -> Finding:
    try:
        backend, why = choose_backend("auto", root)
    except PeeklockError as error:
        return Finding("machine", "backend", "lacks", _said(error), error.fix or f"one of {', '.join(BACKENDS)}")
    return Finding("machine", "backend", "ok", f"auto is {backend}: {why}")


def _options() -> Iterator[Finding]:
    """What only some files need: the extras of the package, and programs that the cache holds."""
    why_not = faketime.why_not()
    if why_not:
        yield Finding("options", "clock", "note", f"no case can move the clock: {why_not}")
    else:
        yield Finding("options", "clock", "ok", "cases can move the clock")
    for extra, packages in _extras().items():
        missing = [name for name in packages if not _installed(name)]
        if missing:
            fix = f"pip install 'peeklock[{extra}]'"
            yield Finding("options", extra, "note", f"not installed: {', '.join(missing)}", fix)
        else:
            yield Finding("options", extra, "ok", "installed")
    yield _made("options", "viewer", lambda: bundle.found() is not None, "runs write no report.html")


def _extras() -> dict[str, list[str]]:
    """Return the packages of each extra but the clock's, which is tried rather than looked up."""
    found: dict[str, list[str]] = {}
    for line in importlib.metadata.requires("peeklock") or ():
        extra = re.search(r"extra == ['\"]([\w-]+)['\"]", line)
        if extra and extra[1] not in {*_FOR_DEVELOPERS, "clock", "containers"}:
            found.setdefault(extra[1], []).append(re.split(r"[^\w.-]", line, maxsplit=1)[0])
    return found


def _installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _machine(root: Path) -> Iterator[Finding]:
    yield _loopback()
    yield from _proxies()
    for name, folder in (("cache", cache_dir), ("project", lambda: root)):
        yield _tool("machine", name, lambda folder=folder: str(folder()))  # type: ignore[misc]
        try:
            free = shutil.disk_usage(folder()).free
        except (OSError, PeeklockError):
            continue
        if free < LEAST_DISK:
            yield Finding("machine", f"disk of {name}", "note", f"{free >> 20} MB are free", "free a gigabyte")
    if not os.access(root, os.W_OK):
        yield Finding(
            "machine", "project", "lacks", f"{root} cannot be written", "runs keep what they leave in .peeklock/"
        )
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if files < LEAST_FILES:
        yield Finding("machine", "open files", "note", f"a process may have {files}", f"ulimit -n {LEAST_FILES}")
    if sys.getfilesystemencoding().lower() != "utf-8":
        text = f"names of files are {sys.getfilesystemencoding()}"
        yield Finding("machine", "locale", "note", text, "export PYTHONUTF8=1")


def _loopback() -> Finding:
    try:
        with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname(), 2):
            pass
    except OSError as error:
        return Finding(
            "machine", "loopback", "lacks", f"127.0.0.1 cannot be reached: {error}", "allow it in the firewall"
        )
    return Finding("machine", "loopback", "ok", "127.0.0.1 can be reached, on ports that the kernel chooses")


def _proxies() -> Iterator[Finding]:
    for name in _PROXIES:
        value = os.environ.get(name) or os.environ.get(name.lower())
        if value:
            text = f"{name} is {urlsplit(value).hostname or 'set'}: used to fetch packages, never for 127.0.0.1"
            yield Finding("machine", "proxy", "note", text)


def _tool(group: str, name: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(group, name, "ok", look())
    except PeeklockError as error:
        return Finding(group, name, "lacks", _said(error), error.fix)


def _made(group: str, name: str, is_made: Callable[[], bool], without: str) -> Finding:
    try:
        made = is_made()
    except PeeklockError as error:
        return Finding(group, name, "lacks" if group in BACKENDS else "note", _said(error), error.fix)
    if made:
        return Finding(group, name, "ok", "made")
    return Finding(group, name, "note", f"not made yet: {without}", "peeklock setup")


def _said(error: PeeklockError) -> str:
    return "; ".join(part for part in (error.problem, error.where, error.actual) if part)
