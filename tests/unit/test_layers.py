"""Imports point inward only."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from peeklock.stack.containers.images.recipes import EMULATOR_LEAVES

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "harness" / "peeklock"
LEAVES = {"connection_strings", "durations", "errors", "redaction", "trace_context", "yaml_data"}
"""What every part may use, and what uses nothing but the others of these."""
LAYERS = [
    "alerts", "survey", "scenario", "scaling", "supervision", "standins", "telemetry", "stack", "preflight", "load", "engine", "verbs", "explore", "reports", "ui", "cli",
]  # fmt: skip
"""From the inside out. `servicebus` stands alone; what stands outside of it may use it."""
OUTERMOST = {"cli", "pytest_plugin"}
FLOORS = [
    {"settings", "loopback", "paths"},
    {"ledger", "amqp", "auth", "entity_settings"},
    {"broker", "client"},
    {"topology"},
    {"config", "store", "http"},
    {"managed_identity"},
    {"issuer"},
    {"gateway"},
    {"host", "fault_controls"},
    {"emulator", "process"},
    {"__main__"},
]
"""Of `servicebus`, from the ground up: what stands on one floor uses only floors below."""
PURE = {
    "harness/peeklock/scenario": {
        "asyncio",
        "httpx",
        "psycopg",
        "socket",
        "subprocess",
        "threading",
        "azure",
        "urllib.request",
    },
    "harness/peeklock/alerts": {
        "asyncio",
        "httpx",
        "pathlib",
        "socket",
        "subprocess",
        "threading",
        "time",
        "urllib.request",
    },
    "harness/peeklock/scaling": {"asyncio", "datetime", "pathlib", "subprocess", "threading", "time"},
    "harness/peeklock/servicebus/broker": {"asyncio", "socket", "subprocess", "threading", "time", "datetime"},
    "harness/peeklock/servicebus/amqp": {"asyncio", "socket", "subprocess", "threading", "time"},
}


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                package = path.relative_to(PACKAGE.parent).with_suffix("").parts[: -node.level]
                yield ".".join([*package, *([node.module] if node.module else [])])
            else:
                yield node.module or ""


def part(module: str) -> str | None:
    pieces = module.split(".")
    return pieces[1] if pieces[0] == "peeklock" and len(pieces) > 1 else None


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_uses_only_what_lies_further_in(path: Path) -> None:
    own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    for module in imports(path):
        other = part(module)
        if other is None or other == own or other in LEAVES or own in ("pytest_plugin", "__init__"):
            continue
        if own == "servicebus":
            pytest.fail(f"{path}: servicebus depends on nothing above it, not on {module}")
        if other != "servicebus":
            assert LAYERS.index(other) < LAYERS.index(own), f"{path}: {own} must not use {module}"


def test_the_emulators_image_has_each_leaf_that_the_emulator_uses() -> None:
    """Else its container ends as it begins."""
    inside = {name.removesuffix(".py") for name in EMULATOR_LEAVES}
    emulator = [*(PACKAGE / "servicebus").rglob("*.py"), *(PACKAGE / name for name in EMULATOR_LEAVES)]
    used = {(leaf, path) for path in emulator for module in imports(path) if (leaf := part(module)) in LEAVES}
    assert not {(leaf, str(path)) for leaf, path in used if leaf not in inside}


@pytest.mark.parametrize(
    "path", sorted((PACKAGE / "servicebus").rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE))
)
def test_the_emulator_is_built_in_floors(path: Path) -> None:
    """A part of the emulator uses nothing on its own floor or above, not for a type either."""
    own = path.relative_to(PACKAGE / "servicebus").parts[0].removesuffix(".py")
    if own == "__init__":
        return
    floor = {name: number for number, names in enumerate(FLOORS) for name in names}
    for module in imports(path):
        other = next(iter(module.split(".")[2:3]), own)
        if module.startswith("peeklock.servicebus.") and other != own:
            assert floor[other] < floor[own], f"{path}: {own} must not use {module}"


def test_no_module_uses_one_that_uses_it() -> None:
    """No circles, type-only imports and imports in functions included; a package is what its `__init__` imports."""
    assert circles() == []


def circles() -> list[set[str]]:
    """Return the groups of modules that use each other, by their names below the package."""
    files = {".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts): path for path in PACKAGE.rglob("*.py")}
    modules = {name.removesuffix(".__init__"): path for name, path in files.items()}
    uses = {name: {used for used in named(path) if used in modules and used != name} for name, path in modules.items()}
    below = {name: reach(name, uses) for name in modules}
    groups = {
        frozenset(other for other in below[name] if name in below[other]) for name in modules if name in below[name]
    }
    return [{name.removeprefix("peeklock.") for name in group} for group in groups]


def named(path: Path) -> Iterator[str]:
    """Yield what a file may import: for `from a import b` both `a` and `a.b`, whichever is a module."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = path.relative_to(PACKAGE.parent).with_suffix("").parts[: -node.level or None]
            stem = ".".join([*(package if node.level else ()), *([node.module] if node.module else [])])
            found = [f"{stem}.{alias.name}" for alias in node.names]
            module = PACKAGE.parent.joinpath(*stem.split("."))
            inner = [name for name in found if _is_module(name)]
            yield from inner
            if len(inner) < len(found) or not module.is_dir():
                yield stem


def _is_module(name: str) -> bool:
    path = PACKAGE.parent.joinpath(*name.split("."))
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


def reach(name: str, uses: dict[str, set[str]]) -> set[str]:
    """Return every module that a module uses, however far away."""
    seen: set[str] = set()
    waiting = [name]
    while waiting:
        for used in uses[waiting.pop()] - seen:
            seen.add(used)
            waiting.append(used)
    return seen


@pytest.mark.parametrize("folder", PURE)
def test_pure_parts_do_no_io_and_own_no_clock(folder: str) -> None:
    for path in sorted((ROOT / folder).rglob("*.py")):
        used = {
            module
            for module in imports(path)
            if any(module == bad or module.startswith(f"{bad}.") for bad in PURE[folder])
        }
        allowed = {"datetime"} if path.name in ("words.py", "values.py") else set()
        if path.name == "clock.py":
            continue
        assert used <= allowed, f"{path}: {used}"


def test_services_know_nothing_of_the_harness() -> None:
    for path in (ROOT / "services").rglob("*.py"):
        assert not [module for module in imports(path) if module.split(".")[0] in ("peeklock", "harness")], path


def test_nobody_sleeps_but_the_waiting_module() -> None:
    """A turn of the event loop (`sleep(0)`) is no sleep."""
    for path in PACKAGE.rglob("*.py"):
        if path.name != "waiting.py":
            source = path.read_text(encoding="utf-8")
            assert "time.sleep(" not in source, path
            assert "asyncio.sleep(" not in source.replace("asyncio.sleep(0)", ""), path


def test_nothing_of_one_machine_is_written_down() -> None:
    """No path of the machine it was written on, no host of a package registry."""
    bad = ["/wo" + "rk/", "/ro" + "ot/", "pypi." + "org", "registry." + "npmjs", "deb.deb" + "ian"]
    for pattern in ("*.py", "*.yaml", "*.md", "*.json", "*.toml", "*.mjs", "Makefile", "*.lock"):
        for path in ROOT.rglob(pattern):
            if not any(
                piece.startswith(".") or piece in ("node_modules", "build", "dist")
                for piece in path.relative_to(ROOT).parts
            ):
                text = path.read_text(encoding="utf-8")
                assert not [word for word in bad if word in text], path
