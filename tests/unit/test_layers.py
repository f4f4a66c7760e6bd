"""Imports point inward only."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "harness" / "peeklock"
LEAVES = {"errors", "redaction"}
"""What every part may use, and what uses nothing but the others of these."""
LAYERS = ["scenario", "scaling", "supervision", "stack", "engine", "verbs", "reports", "cli"]
"""From the inside out. `servicebus` stands alone; what stands outside of it may use it."""
OUTERMOST = {"cli", "pytest_plugin"}
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
