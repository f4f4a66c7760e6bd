"""The rooms of the stack: who may use whom, and what of each room others may use."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[3] / "harness" / "peeklock"
FLOORS = [
    "errors", "progress", "loopback", "faults", "names", "backend", "project", "clock", "servers", "relay", "blob_door", "identities", "environment", "local",
    "embedded", "azure", "containers", "choice", "open", "warm",
]  # fmt: skip
"""Of `stack`, from the ground up: each may use those before it."""
ROOMS = ["supervision", *(f"stack/{name}" for name in FLOORS if (PACKAGE / "stack" / name).is_dir())]
PROGRAMS = ["supervision.guard", "stack.containers.follower", "stack.containers.removal", "stack.containers.discovery"]


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                module = f"{node.module}.{alias.name}"
                known = (PACKAGE.parent / module.replace(".", "/")).with_suffix(".py").exists()
                yield module if known or (PACKAGE.parent / module.replace(".", "/")).is_dir() else node.module


@pytest.mark.parametrize("path", sorted((PACKAGE / "stack").rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_room_uses_only_rooms_below_it(path: Path) -> None:
    own = path.relative_to(PACKAGE / "stack").parts[0].removesuffix(".py")
    for module in imports(path):
        pieces = module.split(".")
        if pieces[:2] == ["peeklock", "stack"] and len(pieces) > 2 and pieces[2] != own:
            assert FLOORS.index(pieces[2]) < FLOORS.index(own), f"{own} must not use {module}"


@pytest.mark.parametrize("room", ROOMS)
def test_others_use_only_what_is_in_the_face_of_a_room(room: str) -> None:
    names: dict[str, list[str]] = {}
    exec((PACKAGE / room / "__init__.py").read_text(encoding="utf-8"), names)
    face, start = names["__all__"], f"peeklock.{room.replace('/', '.')}."
    for path in PACKAGE.rglob("*.py"):
        if not path.is_relative_to(PACKAGE / room):
            private = [module for module in imports(path) if module.startswith(start)]
            private = [module for module in private if module.removeprefix(start).partition(".")[0] not in face]
            assert not private, f"{path.relative_to(PACKAGE)}: not in the face of {room}: {private}"


@pytest.mark.parametrize("module", PROGRAMS)
def test_a_small_program_needs_nothing_but_the_standard_library(module: str) -> None:
    code = f"import sys; sys.path.insert(0, {str(PACKAGE.parent)!r}); from peeklock.{module} import main; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert loaded - sys.stdlib_module_names - {"__main__", "peeklock"} == set()
