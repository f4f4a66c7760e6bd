"""The project that scenario files are of: its root, and what its `peeklock.yaml` or `[tool.peeklock]` says of all of them."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from pydantic import Field

from peeklock.scenario.document import DataPath, Document, parse
from peeklock.scenario.durations import Duration
from peeklock.scenario.errors import Problem, ScenarioInvalid, Span
from peeklock.scenario.fields import Model
from peeklock.scenario.model import Defaults
from peeklock.scenario.validation import validate

PROJECT_FILE = "peeklock.yaml"
MARKS = (PROJECT_FILE, "pyproject.toml", ".git")
"""What stands in the root of a project."""


class Project(Model):
    """What every scenario file of a project has unless it says otherwise."""

    timeout: Duration | None = Field(None, gt=0, description="the longest that one case may take")
    defaults: Defaults | None = None


def is_root(folder: Path) -> bool:
    """Tell whether a folder is the root of a project."""
    return any((folder / mark).exists() for mark in MARKS)


def project_root(path: Path) -> Path:
    """Return the nearest folder above a file that is the root of a project. Where nothing marks one, it is the working directory
    if the file lies below it, else the file's folder."""
    parents = path.resolve().parents
    here = Path.cwd()
    return next((parent for parent in parents if is_root(parent)), here if here in parents else parents[0])


def with_project(document: Document) -> tuple[Document, list[Problem]]:
    """Return a scenario file on top of what its project says, and what is wrong with that."""
    root = project_root(document.path)
    written = _from_yaml(root / PROJECT_FILE), _from_pyproject(root / "pyproject.toml")
    found = [each for each in written if each is not None]
    if len(found) > 1:
        text = f"{PROJECT_FILE} and [tool.peeklock] in pyproject.toml both speak for the project"
        return document, [found[1].problem((), text, fix="keep one of them")]
    if not found:
        return document, []
    project, problems = validate(Project, found[0].data, found[0], ())
    return (document, problems) if project is None else (document.extending(found[0]), [])


def _from_yaml(path: Path) -> Document | None:
    if not path.is_file() or not any(_says_something(line) for line in path.read_bytes().splitlines()):
        return None
    found = parse(path)
    if not isinstance(found.data, dict):
        problem = found.problem((), f"{PROJECT_FILE} is a mapping", expected="defaults: …")
        raise ScenarioInvalid([problem])
    return found


def _says_something(line: bytes) -> bool:
    return line.strip() != b"" and not line.lstrip().startswith(b"#")


def _from_pyproject(path: Path) -> Document | None:
    try:
        source = path.read_text(encoding="utf-8")
        data = tomllib.loads(source).get("tool", {}).get("peeklock")
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return None  # somebody else's business
    if not isinstance(data, dict):
        return None
    spans: dict[DataPath, Span] = {(): _span(source, 0, "tool.peeklock")}
    start = spans[()].line

    def note(value: Any, path: DataPath) -> None:
        for key, child in value.items():
            spans[*path, key] = _span(source, start, key)
            if isinstance(child, dict):
                note(child, (*path, key))

    note(data, ())
    return Document(path, source, data, spans, {})


def _span(source: str, after: int, name: str) -> Span:
    """Return where a name is written first below a line."""
    for number, line in enumerate(source.splitlines()[after:], after + 1):
        if found := re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", line):
            return Span(number, found.start() + 1, number, found.end() + 1)
    return Span(max(after, 1), 1, max(after, 1), 2)
