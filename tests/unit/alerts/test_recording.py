"""What rules could look at is the same after it was written down."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from peeklock.alerts import Measured, Point, Recording, RecordingError, read_recording

ROW = {"TimeGenerated": datetime.fromtimestamp(1000.5, UTC), "Name": "GET /", "Success": True, "Properties": {"a": "b"}}
WHOLE = Recording(
    "a.yaml::one",
    1000.0,
    2000.0,
    Measured(
        {"m": [Point(1001.0, 2.5, {"queue": "jobs"}), Point(1002.0, 9.0, {}, 3, 1.0, 5.0)]}, {"AppRequests": [ROW]}
    ),
)


def test_it_is_read_as_it_was_written() -> None:
    assert read_recording(WHOLE.lines()) == WHOLE


def test_lines_are_written_once_and_read_as_both_tables() -> None:
    line = {"TimeGenerated": ROW["TimeGenerated"], "Log": "x"}
    read = read_recording(Recording("a", 1.0, 2.0, Measured({}, {"ContainerAppConsoleLogs": [line]})).lines())
    assert read.measured.tables["ContainerAppConsoleLogs_CL"] == [{"TimeGenerated": ROW["TimeGenerated"], "Log_s": "x"}]


@pytest.mark.parametrize(
    ("lines", "where"),
    [
        (["not json"], "line 1"),
        (['{"case": "a"}'], "line 1"),
        (["[1]"], "line 1"),
        ([*list(WHOLE.lines())[:1], '{"metric": "m", "at": 1}'], "line 2"),
        ([*list(WHOLE.lines())[:1], '{"table": "t", "row": {}}'], "line 2"),
        ([], "line 0"),
    ],
)
def test_what_is_no_recording_is_told_by_its_line(lines: list[str], where: str) -> None:
    with pytest.raises(RecordingError) as caught:
        read_recording(lines)
    assert caught.value.where == where
