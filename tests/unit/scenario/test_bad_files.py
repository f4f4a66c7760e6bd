"""Every kind of broken file is told by place, caret, expectation and remedy, before anything starts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from peeklock.scenario.errors import ScenarioInvalid
from peeklock.scenario.loader import load
from peeklock.verbs import VOCABULARY

BAD = Path(__file__).parent / "bad"


@pytest.mark.parametrize("path", sorted(BAD.glob("*.yaml")), ids=lambda path: path.stem)
def test_says_what_where_and_how_to_fix(path: Path) -> None:
    """The whole message is the contract; `UPDATE_GOLDEN=1` writes it anew."""
    with pytest.raises(ScenarioInvalid) as caught:
        load(path, VOCABULARY)
    told = "\n\n".join(problem.render(BAD) for problem in caught.value.problems).replace(str(BAD.parent), "…") + "\n"
    golden = path.with_suffix(".txt")
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(told, encoding="utf-8")
    assert told == golden.read_text(encoding="utf-8")


def test_every_problem_is_told_at_once() -> None:
    """A file with several problems needs one run of `check`, not one for each."""
    with pytest.raises(ScenarioInvalid) as caught:
        load(BAD / "undeclared.yaml", VOCABULARY)
    assert len(caught.value.problems) == 3
