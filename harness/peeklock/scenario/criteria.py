"""Acceptance criteria: `criteria.yaml` files beside scenarios, each a mapping from id to sentence."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from peeklock.scenario.document import parse
from peeklock.scenario.errors import Problem, ScenarioInvalid

FILE_NAME = "criteria.yaml"


def known_criteria(path: Path, root: Path) -> dict[str, str]:
    """Return the criteria that a scenario file may cover: of every file of them in its folder and those above it, up to `root`."""
    folders = [folder for folder in path.parents if folder.is_relative_to(root)]
    return _read(folder / FILE_NAME for folder in folders if (folder / FILE_NAME).is_file())


def load_criteria(paths: Iterable[Path]) -> dict[str, str]:
    """Return every criterion at or below `paths` (for a file: in its folder). Raises `ScenarioInvalid`."""
    folders = dict.fromkeys(path if path.is_dir() else path.parent for path in paths)
    return _read(dict.fromkeys(file for folder in folders for file in sorted(folder.rglob(FILE_NAME))))


def _read(files: Iterable[Path]) -> dict[str, str]:
    found: dict[str, str] = {}
    problems: list[Problem] = []
    for file in files:
        document = parse(file)
        if not isinstance(document.data, dict):
            problems.append(document.problem((), "a mapping from id to sentence is needed", expected="IO-1: …"))
            continue
        for key, sentence in document.data.items():
            if not isinstance(sentence, str):
                problems.append(document.problem((key,), "a sentence is needed", expected="text"))
            found[key] = str(sentence)
    if problems:
        raise ScenarioInvalid(problems)
    return found


def sort_key(criterion: str) -> tuple[str, int, str]:
    """Sort IO-2 before IO-10."""
    number = re.search(r"\d+", criterion)
    return (re.split(r"\d", criterion, maxsplit=1)[0], int(number.group()) if number else 0, criterion)
