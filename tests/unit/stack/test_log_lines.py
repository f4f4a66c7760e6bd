"""What services have written is kept as far back as memory allows, and what is missing is told."""

from __future__ import annotations

from peeklock.stack.backend import LogLine
from peeklock.stack.environment.log_lines import LogLines


def line(number: int, size: int = 10) -> LogLine:
    return LogLine("api", 0, float(number), f"{number}".ljust(size, "x"), None)


def numbers(lines: list[LogLine]) -> list[float]:
    return [each.at for each in lines]


def test_lines_are_read_from_a_cursor_on() -> None:
    lines = LogLines()
    lines.add(map(line, range(3)))
    assert numbers(lines.after(1)) == [1, 2]
    assert (lines.cursor, lines.after(3), lines.after(1 << 62)) == (3, [], [])


def test_the_oldest_are_forgotten_and_how_many_is_told() -> None:
    lines = LogLines(most=100)
    lines.add(map(line, range(25)))
    told, *kept = lines.after(0)
    assert (
        told.text == f"… {25 - len(kept)} earlier lines are not kept in memory; the log file has the first and the last"
    )
    assert numbers(kept) == list(range(25 - len(kept), 25))
    assert (lines.cursor, numbers(lines.after(24))) == (25, [24])


def test_one_line_is_kept_whatever_its_size() -> None:
    lines = LogLines(most=100)
    lines.add([line(0, 1_000)])
    assert numbers(lines.after(0)) == [0]
