"""Schedules of jobs: five fields, in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest
from pydantic import ValidationError

from peeklock.scenario.cron import due_between, moments
from peeklock.scenario.services import Job

NEW_YEAR = datetime(2027, 1, 1, tzinfo=UTC)  # a Friday


@pytest.mark.parametrize(
    ("cron", "first"),
    [
        ("0 */2 * * *", ["01T02:00", "01T04:00"]),
        ("30 1 * * MON-FRI", ["01T01:30", "04T01:30"]),
        ("0 0 * * 0", ["03T00:00", "10T00:00"]),
        ("0 0 13 * 5", ["08T00:00", "13T00:00"]),  # the day of the month or the day of the week
    ],
)
def test_moments_follow_each_other(cron: str, first: list[str]):
    assert [f"{moment:%dT%H:%M}" for moment in islice(moments(cron, NEW_YEAR), 2)] == first


def test_a_moment_is_due_from_its_first_second_on():
    two = NEW_YEAR + timedelta(hours=2)
    assert due_between("0 2 * * *", NEW_YEAR, two - timedelta(seconds=1)) == (None, 0)
    assert due_between("0 2 * * *", NEW_YEAR, two) == (two, 1)
    assert due_between("0 2 * * *", two, two + timedelta(hours=23)) == (None, 0)


def test_of_very_many_the_last_is_found():
    last = NEW_YEAR + timedelta(days=15)
    assert due_between("* * * * *", NEW_YEAR, last + timedelta(seconds=30)) == (last, 100)


@pytest.mark.parametrize(
    ("cron", "why"),
    [
        ("0 2 * *", "five fields are expected, not 4"),
        ("0 0 2 * * *", "five fields are expected, not 6"),
        ("@daily", "five fields are expected, not 1"),
        ("60 2 * * *", "bad minute"),
        ("0 2 L * *", "bad day of month"),
        ("0 2 * * 5#2", "bad day of week"),
        ("0 2 30 2 *", "bad day of month"),
        ("0 2 * FOO *", "bad month"),
    ],
)
def test_what_container_apps_does_not_know_is_refused(cron: str, why: str):
    with pytest.raises(ValidationError, match=why):
        Job(trigger="schedule", cron=cron)
