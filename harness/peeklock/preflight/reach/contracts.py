"""Finds the copies of contract files that a file's services can read."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from peeklock.preflight.contracts import Copy
from peeklock.preflight.settings import Setting
from peeklock.scenario.errors import shorten
from peeklock.scenario.model import Scenario

MOST_FILES = 20_000
"""Files that are looked at below one folder."""
_SKIPPED = frozenset({"node_modules", "__pycache__", "venv", "site-packages", "dist", "build"})
_KINDS = (".json", ".yaml", ".yml")


def copies(scenario: Scenario, settings: Iterable[Setting]) -> list[Copy]:
    """Return the schemas of queues as the file reads them, and what lies under the same name below the folders of its services;
    and contracts in folders that a variable of several services names, as in `CONTRACTS_DIR`."""
    return [*_schemas(scenario), *_named(settings)]


def _schemas(scenario: Scenario) -> Iterator[Copy]:
    bus = scenario.header.stack.servicebus
    receivable = bus.receivable().values() if bus is not None else ()
    wanted = {_title(path): path for each in receivable if (path := each.message_schema) is not None}
    for title, path in wanted.items():
        yield from _copy(title, "the file", path)
    if not wanted:
        return
    for name, service in scenario.header.services.items():
        for folder in dict.fromkeys([*([service.cwd] if service.cwd is not None else []), *service.watch]):
            for path in _files(folder):
                if _title(path) in wanted:
                    yield from _copy(_title(path), name, path)


def _named(settings: Iterable[Setting]) -> Iterator[Copy]:
    for setting in settings:
        if os.sep in setting.value and (folder := Path(setting.value)).is_dir():
            for path in _files(folder):
                if path.suffix in _KINDS:
                    title = f"{path.relative_to(folder)} of {setting.variable}"
                    yield from _copy(title, setting.service, path)


def _title(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def _files(top: Path) -> Iterator[Path]:
    if top.is_file():
        return iter([top])
    return itertools.islice(_below(top), MOST_FILES)


def _below(top: Path) -> Iterator[Path]:
    for folder, names, leaves in os.walk(top):
        names[:] = [name for name in names if not name.startswith(".") and name not in _SKIPPED]
        yield from (Path(folder, leaf) for leaf in leaves)


def _copy(title: str, reader: str, path: Path) -> Iterator[Copy]:
    try:
        text = path.resolve().read_text(encoding="utf-8")
    except (OSError, UnicodeError):
        return
    try:
        content = json.dumps(json.loads(text), sort_keys=True) if path.suffix == ".json" else text.strip()
    except ValueError:
        content = text.strip()
    yield Copy(title, reader, shorten(path.resolve()), content)
