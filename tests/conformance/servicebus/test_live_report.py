"""The report on the SDK's own tests, and what it is ordered by."""

from __future__ import annotations

import pytest

from .live.expected import EXPECTED
from .live.source import GROUPS, waits
from .live.table import Result, table


def result(test, outcome, group="queues", seconds=6.0):
    return Result(group, test, outcome, seconds, f"why {test}")


def test_all_is_well_when_only_what_is_expected_fails():
    """The table counts by group, and tells what did not pass with the reason."""
    results = [result("a", "passed"), result("b", "failed"), result("c", "skipped"), result("d", "passed", "topics")]
    text, good = table(results, {"b": "cannot pass"})
    assert good
    rows = [line.split() for line in text.splitlines()[1:4]]
    assert rows == [
        ["queues", "1", "0", "1", "1", "0.3"],
        ["topics", "1", "0", "0", "0", "0.1"],
        ["all", "2", "0", "1", "1", "0.4"],
    ]
    assert "expected to fail: b\n      cannot pass\n      now: why b" in text
    assert "skipped: c\n      why c" in text


@pytest.mark.parametrize(
    ("results", "told"),
    [
        ([result("a", "passed"), result("x", "failed")], "FAILED: x\n      why x"),
        ([result("a", "passed"), result("b", "passed")], "PASSED, though expected to fail: b"),
        ([result("a", "passed"), result("a", "failed")], "FAILED: a"),
    ],
)
def test_all_is_not_well(results, told):
    """A failure that is not on the list, one that is on it and passes, and one at a test's end."""
    text, good = table(results, {"b": "cannot pass"})
    assert not good
    assert told in text


def test_nothing_at_all_is_not_well():
    """A run in which nothing passed has shown nothing."""
    assert not table([], {})[1]
    assert not table([result("c", "skipped")], {})[1]


def test_what_is_expected_to_fail_is_in_a_group():
    """Every id of the list belongs to a file of tests."""
    files = {file for group in GROUPS.values() for file in group}
    assert {test.partition("::")[0] for test in EXPECTED} <= files


def test_waits_are_read_from_the_source(tmp_path):
    """Tests that wait long begin first: sleeps, and the time that is waited for messages."""
    file = tmp_path / "test_x.py"
    file.write_text(
        "class T:\n    def test_a(self):\n        time.sleep(60 * 5)\n        f(max_wait_time=7)\n"
        "    async def test_b(self):\n        pass\n    def test_keep_conn_alive(self):\n        pass\n"
    )
    assert waits(file) == {"test_a": 307, "test_b": 0, "test_keep_conn_alive": 330}
