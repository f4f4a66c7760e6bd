"""The parts of scenario files that a case runs."""

from __future__ import annotations

from pathlib import Path

from peeklock.engine.listing import listings
from peeklock.scenario.loader import load
from peeklock.verbs import VOCABULARY

FILE = """\
scenario: x
background:
  - set: {a: 1}
cases:
  one:
    steps:
      - set: {b: 2}
      # a word about the next
      - name: long
        set:
          c: 3
  two:
    steps:
      - set: {d: 4}
finally:
  - set: {e: 5}
"""


def shown(text: str, folder: Path, case: int) -> list[tuple[str, int, tuple[str, ...], tuple[int, ...]]]:
    (folder / "pyproject.toml").touch()
    path = folder / "x.yaml"
    path.write_text(text)
    scenario = load(path, VOCABULARY)
    return [(each.part, each.first, each.lines, each.steps) for each in listings(scenario, scenario.cases[case])]


def test_a_case_is_shown_with_its_background_and_its_end(tmp_path: Path) -> None:
    """Only its own lines, with the numbers at which its steps begin."""
    assert shown(FILE, tmp_path, 1) == [
        ("background", 3, ("  - set: {a: 1}",), (3,)),
        ("case", 12, ("  two:", "    steps:", "      - set: {d: 4}"), (14,)),
        ("finally", 16, ("  - set: {e: 5}",), (16,)),
    ]


def test_a_step_over_several_lines_is_shown_whole(tmp_path: Path) -> None:
    part, first, lines, steps = shown(FILE, tmp_path, 0)[1]
    assert (part, first, steps) == ("case", 5, (7, 9))
    assert lines[-1] == "          c: 3"


def test_the_last_line_of_a_file_is_shown(tmp_path: Path) -> None:
    text = "scenario: x\ncases:\n  one:\n    steps:\n      - name: n\n        set: {a: 1}\n"
    assert shown(text, tmp_path, 0)[0][2][-1] == "        set: {a: 1}"


def test_a_fragment_is_shown_after_what_uses_it(tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_text("fragment: f\nsteps:\n  - set: {z: 1}\n")
    text = "scenario: x\ncases:\n  one:\n    steps:\n      - use: f.yaml\n      - use: f.yaml\n"
    assert [(part, lines) for part, _, lines, _ in shown(text, tmp_path, 0)] == [
        ("case", ("  one:", "    steps:", "      - use: f.yaml", "      - use: f.yaml")),
        ("fragment f.yaml", ("  - set: {z: 1}",)),
    ]
