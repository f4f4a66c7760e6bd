"""The memory of a run does not grow with its passed cases."""

from __future__ import annotations

import gc
import os
from collections import Counter
from pathlib import Path
from typing import Any

from rich.console import Console

from peeklock.engine.events import Event, RunFinished
from peeklock.engine.pace import Pace
from peeklock.engine.plan import Choice, Target, make_plan
from peeklock.engine.runner import Runner, RunOptions
from peeklock.reports.console import ConsoleReport
from peeklock.reports.html.record import RunRecord
from peeklock.reports.ndjson import NdjsonReport
from peeklock.verbs import VOCABULARY
from tests.unit.engine.test_session import FakeStack


def alive() -> Counter[str]:
    """Return how many objects of Peeklock's there are, and how many containers of any kind."""
    gc.collect()
    kinds = Counter(
        type(each).__name__ for each in gc.get_objects() if str(type(each).__module__).startswith("peeklock")
    )
    return kinds + Counter(containers=sum(type(each) in (dict, list, tuple) for each in gc.get_objects()))


def left_by(times: int, folder: Path) -> Counter[str]:
    """Run a case so often; count what is there at the end, while the run and its reports still are."""
    folder.mkdir()
    (folder / "pyproject.toml").touch()
    path = folder / "a.yaml"
    path.write_text("scenario: a\ncases: {one: {steps: [{set: {a: 1}}]}}\n", encoding="utf-8")
    stack: Any = FakeStack()
    plan = make_plan([Target(path)], Choice(), VOCABULARY)
    runner = Runner(plan, RunOptions(folder, repeat=times, until_fail=True), lambda _: stack)
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        reports: list[Any] = [
            ConsoleReport(Console(file=nowhere)), NdjsonReport(folder / "events.ndjson"), RunRecord(folder),
            Pace(folder / "durations.json"),
        ]  # fmt: skip
        event: Event | None = None
        for event in runner.events():
            for report in reports:
                report(event)
        assert isinstance(event, RunFinished)
        assert event.passed == times
        return alive()


def test_what_a_passed_case_has_made_goes_with_it(tmp_path: Path) -> None:
    """1,000 repetitions leave no more than 20, with every report that is always on."""
    few, many = left_by(20, tmp_path / "few"), left_by(1000, tmp_path / "many")
    assert {kind: many[kind] - few[kind] for kind in many if many[kind] - few[kind] > 200} == {}
