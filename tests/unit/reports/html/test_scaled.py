"""What a page tells of scaling: the rule, each change with its reason, and by which clock."""

from __future__ import annotations

from typing import Any

from peeklock.engine.record import ScaledService
from peeklock.reports.html.case_data import MOST_MOMENTS, data_of
from peeklock.scenario.services import Scale
from tests.unit.reports.html.test_page import case


def told(rule: dict[str, Any], **facts: Any) -> dict[str, Any]:
    scaled = ScaledService("worker", Scale.model_validate(rule), {"steps": [0], "history": [], **facts})
    data = data_of(case(scaled=(scaled,)))
    return {**data["scaled"][0], "left": data["left"]}


def test_a_rule_and_its_changes_are_told_in_milliseconds_of_the_clock_of_the_case() -> None:
    change = {"at": 30.0, "from": 0, "to": 2, "count": 7, "why": "7 messages at 5 each"}
    shown = told({"queue": "jobs", "max": 3}, history=[change])
    assert shown["queues"] == [["jobs", 5, 0]]
    assert (shown["min"], shown["max"], shown["polling"], shown["trigger"], shown["first"]) == (0, 3, 30.0, "", 0)
    assert shown["changes"] == [[30_000.0, 0, 2, 7, "7 messages at 5 each"]]


def test_of_a_job_each_execution_is_told() -> None:
    """Also of one that looks at no queue, and of one that has not ended."""
    one = {"name": "worker-1", "at": 1.0, "ended_at": None, "status": "running", "reason": ""}
    shown = told({"job": {"trigger": "manual"}}, executions=[one])
    assert (shown["queues"], shown["trigger"]) == ([], "manual")
    assert shown["executions"] == [[1000.0, None, "worker-1", "running", ""]]


def test_of_very_many_changes_the_first_and_the_last_are_kept() -> None:
    many = [{"at": float(n), "from": 0, "to": 1, "count": 1, "why": ""} for n in range(MOST_MOMENTS + 10)]
    shown = told({"queue": "jobs"}, history=many)
    assert len(shown["changes"]) == MOST_MOMENTS
    assert shown["left"] == ["10 of 2,010 changes of worker, from the middle of the case"]


def test_moves_of_the_clock_are_told() -> None:
    assert data_of(case(clock=((105.0, 30.0),)))["clock"] == [[5000.0, 30_000.0]]
