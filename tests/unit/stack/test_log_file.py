"""What a service that floods its log may cost: room on the disk, and time of the supervisor."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from peeklock.supervision import allowance, log_file
from peeklock.supervision.allowance import BURST, LINE, RATE, Allowance
from peeklock.supervision.child import Child
from peeklock.supervision.log_file import LogFiles, let_go

BOUND = 3 * 2000 + 200
"""Bytes of a log in these tests: the first, twice the last, and the line between."""


@pytest.fixture
def logs(monkeypatch: pytest.MonkeyPatch) -> LogFiles:
    monkeypatch.setattr(log_file, "FIRST", 2000)
    monkeypatch.setattr(log_file, "LAST", 2000)
    return LogFiles()


def gone(text: str) -> tuple[int, int]:
    """Lines and bytes that a log says it has let go."""
    (found,) = re.findall(r"^… ([\d,]+) lines \(([\d,]+) bytes\) are let go here", text, re.MULTILINE)
    return int(found[0].replace(",", "")), int(found[1].replace(",", ""))


def test_a_log_is_kept_whole_up_to_its_bound(logs: LogFiles, tmp_path: Path) -> None:
    file = logs.opened(str(tmp_path / "a.log"))
    lines = [f"line {number}\n" for number in range(500)]
    for line in lines:
        file.write(line.encode())
    assert (tmp_path / "a.log").read_text() == "".join(lines)
    assert let_go(str(tmp_path / "a.log")) == let_go(str(tmp_path / "none.log")) == (0, 0)


@pytest.mark.parametrize("at_once", [1, 40, 2_000])
def test_of_a_flood_the_first_and_the_last_lines_are_kept_and_the_others_counted(
    logs: LogFiles, tmp_path: Path, at_once: int
) -> None:
    """Also when more comes at once than is kept."""
    path = tmp_path / "a.log"
    file = logs.opened(str(path))
    lines = [f"line {number}\n" for number in range(20_000)]
    for begin in range(0, len(lines), at_once):
        file.write("".join(lines[begin : begin + at_once]).encode())
        assert path.stat().st_size <= BOUND
    kept = path.read_text().splitlines(keepends=True)
    (middle,) = [number for number, line in enumerate(kept) if line.startswith("…")]
    first, last = kept[:middle], kept[middle + 1 :]
    assert first == lines[: len(first)]
    assert last == lines[-len(last) :]
    assert min(sum(map(len, first)), sum(map(len, last))) > 1900
    left = lines[len(first) : -len(last)]
    assert gone("".join(kept)) == (len(left), sum(map(len, left)))
    assert let_go(str(path)) == (len(left), sum(map(len, left)))


def test_children_that_share_a_file_share_its_bound(logs: LogFiles, tmp_path: Path) -> None:
    """Replicas of a service; and a service that is started again and again."""
    path = tmp_path / "a.log"
    one, two = logs.opened(str(path)), logs.opened(str(path))
    for number in range(2_000):
        (one if number % 2 else two).write(f"line {number}\n".encode())
    one.close()
    for number in range(2_000, 4_000):
        two.write(f"line {number}\n".encode())
    two.close()
    for start in range(20):
        again = logs.opened(str(path))
        again.write("".join(f"start {start} line {number}\n" for number in range(50)).encode())
        again.close()
    assert path.stat().st_size <= BOUND
    text = path.read_text()
    assert text.startswith("line 0\nline 1\n")
    assert text.endswith("start 19 line 49\n")
    assert gone(text)[0] + text.count("\n") - 1 == 4_000 + 20 * 50


def test_a_file_that_came_into_the_place_of_another_begins_anew(logs: LogFiles, tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    for _ in range(2):
        file = logs.opened(str(path))
        for number in range(2_000):
            file.write(f"line {number}\n".encode())
        file.close()
        text = path.read_text()
        assert gone(text)[0] + text.count("\n") - 1 == 2_000
        path.unlink()


def test_what_is_no_regular_file_is_not_cut(logs: LogFiles) -> None:
    file = logs.opened("/dev/null")
    for _ in range(20):
        file.write(b"x" * 999 + b"\n")
    file.close()


def test_a_child_is_read_at_once_as_long_as_it_is_no_flood() -> None:
    """And again when it was quiet for a while."""
    now = [0.0]
    bucket = Allowance(lambda: now[0])
    bucket.spend(BURST // 2, 10)
    assert bucket.wait() == 0
    bucket.spend(BURST, 10)
    assert bucket.wait() > 0
    now[0] += 2 * BURST / RATE
    assert bucket.wait() == 0


@pytest.mark.parametrize("length", [1, 100, 10_000])
def test_a_flood_is_read_at_a_steady_rate(length: int) -> None:
    """Short lines are as much work as long ones, so they cost more than their bytes."""
    now, read = [0.0], 0
    bucket = Allowance(lambda: now[0])
    while now[0] < 60:
        lines = max(1, 65536 // length)
        bucket.spend(lines * length, lines)
        read += lines * (length + LINE)
        now[0] += bucket.wait()
    assert read <= BURST + 60 * RATE + 2 * 65536 * (1 + LINE)
    assert read >= 0.9 * (BURST + 60 * RATE)


def test_a_child_that_has_to_wait_is_told_so_once_in_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where everybody looks: between its own lines, of which none is lost."""
    monkeypatch.setattr(allowance, "BURST", 1000)
    monkeypatch.setattr(allowance, "RATE", 1)  # so that nothing of it comes back while this test runs
    child = Child({"name": "flood", "log": str(tmp_path / "flood.log")}, LogFiles())
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    child.pipe = reading
    lines: list[str] = []
    for number in range(20):
        os.write(writing, f"line {number}\n".encode())
        read, _, seconds = child.read()
        lines += [text for _, text in read]
    assert seconds > 0
    (told,) = [text for text in lines if not text.startswith("line ")]
    assert "faster than 4 MiB a second" in told
    assert [text for text in lines if text != told] == [f"line {number}" for number in range(20)]
    assert (tmp_path / "flood.log").read_text().splitlines() == lines
    os.close(writing)
    assert child.read()[1]
    os.close(reading)
    child.closed(0)
