"""What a project says of all its scenario files."""

from __future__ import annotations

from pathlib import Path

import pytest

from peeklock.scenario.errors import ScenarioInvalid
from peeklock.scenario.loader import load
from peeklock.scenario.model import Header
from peeklock.verbs import VOCABULARY

CASES = "cases: {a: {steps: [{set: {x: 1}}]}}\n"


def header(folder: Path, own: str = "") -> Header:
    (folder / "scenarios").mkdir(exist_ok=True)
    file = folder / "scenarios" / "a.yaml"
    file.write_text(f"scenario: x\n{own}{CASES}", encoding="utf-8")
    return load(file, VOCABULARY).header


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("peeklock.yaml", "timeout: 5m\ndefaults: {eventually: 3s, settle: 4s}\n"),
        ("pyproject.toml", '[tool.peeklock]\ntimeout = "5m"\ndefaults = {eventually = "3s", settle = "4s"}\n'),
    ],
)
def test_its_defaults_hold_for_every_file_that_says_nothing_else(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    found = header(tmp_path, "defaults: {settle: 1s}\n")
    assert (found.timeout, found.defaults.eventually, found.defaults.settle) == (300, 3, 1)


@pytest.mark.parametrize(
    ("name", "text", "place"),
    [
        ("peeklock.yaml", "defaults:\n  setle: 3s\n", "peeklock.yaml:2:3"),
        ("pyproject.toml", "[tool.peeklock.defaults]\nsettle = 3\n", "pyproject.toml:2:1"),
    ],
)
def test_what_is_wrong_in_it_is_told_with_its_place(tmp_path: Path, name: str, text: str, place: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(ScenarioInvalid, match=place):
        header(tmp_path)


def test_two_that_speak_for_a_project_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "peeklock.yaml").write_text("timeout: 5m\n", encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text("[tool.peeklock]\n", encoding="utf-8")
    with pytest.raises(ScenarioInvalid, match="both speak for the project"):
        header(tmp_path)


def test_a_pyproject_that_is_broken_or_silent_is_somebody_elses_business(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.other]\n=", encoding="utf-8")
    assert header(tmp_path).timeout == 60
