"""The order in which files begin."""

from __future__ import annotations

from pathlib import Path

from peeklock.engine.agenda import Agenda
from peeklock.scenario.model import Scenario
from tests.unit.engine.test_session import ALONE, PLAIN, FakeStack, scenario, session_on


def agenda(*files: Scenario) -> Agenda:
    return Agenda([(file, list(file.cases)) for file in files], session_on(FakeStack()).shared)


def begun(agenda: Agenda) -> str:
    file = agenda.take()
    return "" if file is None else file[0].path.stem


def test_a_file_waits_for_the_environment_of_another_while_there_are_others(tmp_path: Path) -> None:
    one, same = (scenario(tmp_path, name, PLAIN, "shared") for name in ("one", "same"))
    other, another = (scenario(tmp_path, name, PLAIN) for name in ("other", "another"))
    files = agenda(one, same, other, another)
    assert [begun(files), begun(files)] == ["one", "other"]
    files.done(one)
    following = files.following()
    assert following is not None
    assert following[0].path.stem == "same"
    assert [begun(files), begun(files), begun(files)] == ["same", "another", ""]


def test_a_file_waits_for_nothing_when_it_is_the_last(tmp_path: Path) -> None:
    """A second environment costs less than hands that rest."""
    files = agenda(*(scenario(tmp_path, name, PLAIN, "shared") for name in ("one", "same")))
    assert [begun(files), begun(files)] == ["one", "same"]


def test_files_with_a_stack_of_their_own_begin_in_order(tmp_path: Path) -> None:
    files = agenda(*(scenario(tmp_path, name, ALONE, "shared") for name in ("one", "two", "three")))
    assert [begun(files) for _ in range(4)] == ["one", "two", "three", ""]
