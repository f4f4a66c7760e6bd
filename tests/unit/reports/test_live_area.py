"""What is shown while a run goes on."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from peeklock.engine.events import (
    CaseFinished,
    CaseStarted,
    Durations,
    Progress,
    RunFinished,
    RunStarted,
    StackReady,
    StepFinished,
    StepProgress,
    StepStarted,
)
from peeklock.reports.live_area import LiveArea

STARTED = RunStarted(100.0, "run-1", 2, 1, "embedded", "", Path())
READY = StackReady(105.0, 1.0, False, {})
WAITS = StepStarted(103.0, "a.yaml::one", "messages queue results", "messages", 7, True)


class Screen:
    """A terminal of a width, whose time stands still at 110."""

    def __init__(self, width: int = 100, **area: Any) -> None:
        self.output = StringIO()
        self.console = Console(file=self.output, force_terminal=True, width=width, height=20, no_color=True)
        arguments = {"workers": 1, "repeat": 1, **area}
        self.area = LiveArea(self.console, {"a.yaml::one": 2.0, "a.yaml::two": 8.0}, now=lambda: 110.0, **arguments)

    def shows(self) -> list[str]:
        seen = StringIO()
        Console(file=seen, width=self.console.width, _environ={}).print(self.area.picture())
        return [line.strip() for line in seen.getvalue().splitlines()]


@pytest.fixture
def screen() -> Screen:
    return Screen()


def told(screen: Screen, *events: Any) -> list[str]:
    try:
        for event in events:
            screen.area(event)
        return screen.shows()
    finally:
        screen.area.close()


def test_what_starts_is_shown_until_the_stack_is_there(screen: Screen) -> None:
    starting = Progress(104.0, "starting Postgres")
    assert told(screen, STARTED, starting) == [
        "starting Postgres … 6.0 s", f"{'─' * 24} 0 of 2, about 10 s left",
    ]  # fmt: skip
    assert told(screen, READY) == [f"{'─' * 24} 0 of 2, about 10 s left"]


def test_a_running_case_tells_its_step_and_for_how_long(screen: Screen) -> None:
    lines = told(screen, STARTED, CaseStarted(102.0, "a.yaml::one"), WAITS)
    assert lines[0] == "a.yaml::one  8.0 s  waiting for messages queue results 7.0 s"
    done = StepFinished(104.0, "a.yaml::one", "x", "messages", 7, 1.0, 1.0, 1, ok=True)
    assert told(screen, done)[0] == "a.yaml::one  8.0 s"


def test_a_step_that_tells_how_far_it_is_has_a_line_of_its_own(screen: Screen) -> None:
    began = StepStarted(103.0, "a.yaml::one", "load", "load", 7, False)
    progress = StepProgress(104.0, "a.yaml::one", "20 users, 300 requests at 100/s", {"requests": 300})
    lines = told(screen, STARTED, CaseStarted(102.0, "a.yaml::one"), began, progress)
    assert lines[1] == "20 users, 300 requests at 100/s"
    done = StepFinished(105.0, "a.yaml::one", "load", "load", 7, 1.0, 1.0, 1, ok=True)
    assert len(told(screen, done)) == 2


def test_the_bar_counts_what_has_ended(screen: Screen) -> None:
    ended = CaseFinished(103.0, "a.yaml::one", "passed", Durations())
    lines = told(screen, STARTED, CaseStarted(102.0, "a.yaml::one"), ended)
    assert lines == [f"{'━' * 12}{'─' * 12} 1 of 2, about 8 s left"]


def test_without_an_end_there_is_no_bar() -> None:
    assert told(Screen(repeat=None), STARTED, READY, CaseFinished(1.0, "a.yaml::one", "passed", Durations())) == [
        "1 cases"
    ]


def test_a_narrow_terminal_gets_one_line_each() -> None:
    """Cut, never wrapped: what is wrapped could not be written over."""
    lines = told(Screen(width=20), STARTED, CaseStarted(102.0, "a.yaml::one"), WAITS)
    assert len(lines) == 2
    assert all(len(line) <= 20 for line in lines)


def test_at_the_end_it_is_gone_and_the_cursor_is_there(screen: Screen) -> None:
    finished = RunFinished(105.0, "run-1", 1, 0, 0, 0, (), 4.2, Durations())
    told(screen, STARTED, CaseStarted(102.0, "a.yaml::one"), finished)
    text = screen.output.getvalue()
    assert text.rfind("\x1b[?25h") > text.rfind("\x1b[?25l")
    assert "\x1b[2K" in text


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("file", "environment", "fits"),
    [
        (Terminal(), {"TERM": "xterm"}, True),
        (Terminal(), {"TERM": "dumb"}, False),
        (StringIO(), {"FORCE_COLOR": "1"}, False),
    ],
    ids=["terminal", "dumb", "pipeline with colours"],
)
def test_it_is_for_terminals_alone(file: StringIO, environment: dict[str, str], fits: bool) -> None:
    assert LiveArea.suits(Console(file=file, _environ=environment)) is fits
