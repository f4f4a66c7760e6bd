"""The Python of this machine as the first layer of an image."""

from __future__ import annotations

import functools
import platform
import subprocess
import sys
import sysconfig
from pathlib import Path

from peeklock.stack.containers.images.layer import Layer
from peeklock.stack.containers.images.libraries import add_libraries

_UNNEEDED = {
    "site-packages", "dist-packages", "test", "tests", "idlelib", "tkinter", "turtledemo", "turtle.py", "ensurepip", "lib2to3",
    "distutils", "pydoc_data", "venv",
}  # fmt: skip
_OF_TK = ("_tkinter", "_test", "_xxtest", "xxlimited")


def version() -> str:
    """Whatever decides what the layer holds: the version, its build and the C library."""
    return f"{sys.version} {platform.machine()} {platform.libc_ver()}"


@functools.cache
def packages_folder() -> str:
    """Where this Python, standing in /usr, looks for packages: not the same everywhere (Debian has a place of its own)."""
    asked = [str(_program()), "-I", "-S", "-c", "import site; print(site.getsitepackages(['/usr'])[0])"]
    said = subprocess.run(asked, capture_output=True, text=True, check=True)
    return said.stdout.strip().lstrip("/")


def add_interpreter(layer: Layer) -> None:
    """Python in /usr, without packages, tests and windows; and the libraries that it and its extensions need."""
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    layer.file(_program(), f"usr/bin/{name}")
    layer.link("usr/bin/python3", name)
    layer.link("usr/bin/python", name)
    layer.tree(Path(sysconfig.get_path("stdlib")), f"usr/lib/{name}", _left_out)
    add_libraries(layer, of=list(layer.sources))


def _program() -> Path:
    return (Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}").resolve()


def _left_out(path: Path) -> bool:
    return path.name in _UNNEEDED or path.name.startswith(("config-", *_OF_TK)) or path.suffix == ".a"
