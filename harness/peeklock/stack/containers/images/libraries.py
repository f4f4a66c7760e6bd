"""The shared libraries that programs need, found by the loader of this machine."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from peeklock.stack.containers.images.layer import Layer
from peeklock.stack.errors import missing_tool

_LOADED_LATER = ("libgcc_s.so.1", "libdl.so.2", "libm.so.6", "libpthread.so.0", "librt.so.1")
"""No file says that they are needed: the first is opened by libc when a thread is cancelled, the others are the parts of libc
that a library wants which is preloaded from outside, as that of a movable clock is."""
_LINE = re.compile(r"^\s+(?:(\S+) => )?(/\S+) \(0x[0-9a-f]+\)$", re.MULTILINE)


def add_libraries(layer: Layer, *, of: Iterable[Path], having: Iterable[Path] = ()) -> None:
    """Add to `layer` the libraries that the ELF files in `of` need and that are not among the files of the image already.

    All go where the loader looks, beside libc. `having`: files of layers below. Raises `StackError` where there is no `ldd`.
    """
    files = [path for path in of if _is_elf(path)]
    carried = {path.resolve() for path in (*layer.sources, *having)}
    found = needed(files)
    places = [path for name, path in found.items() if name.startswith("libc.so")]
    home = _in_usr(places[0].parent) if places else "usr/lib"
    for name in _LOADED_LATER:
        if places and (places[0].parent / name).exists():
            found.setdefault(name, places[0].parent / name)
    for name, path in sorted(found.items()):
        if path.resolve() not in carried:
            # The loader itself stands where programs name it; every other library beside libc.
            layer.file(path, _in_usr(path) if name == path.name and "ld-" in name else f"{home}/{name}")


def needed(files: list[Path]) -> dict[str, Path]:
    """The libraries that the loader would bring for these ELF files, by the name that they are asked for."""
    if not files:
        return {}
    ldd = shutil.which("ldd")
    if ldd is None or sys.platform != "linux":
        raise missing_tool(
            "ldd", "building images", [f"the platform: {sys.platform}", "ldd on PATH"],
            "build on Linux, then `docker save` there and `docker load` here",
        )  # fmt: skip
    said = subprocess.run([ldd, *map(str, files)], capture_output=True, text=True, check=False, env={"LC_ALL": "C"})
    return {name or Path(path).name: Path(path) for name, path in _LINE.findall(said.stdout)}


def _in_usr(path: Path) -> str:
    text = path.as_posix().lstrip("/")
    return text if text.startswith("usr/") else f"usr/{text}"


def _is_elf(path: Path) -> bool:
    if not (path.suffix in ("", ".so") or ".so." in path.name or path.suffix.lstrip(".").isdigit()):
        return False
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"
