"""What reports cost a run, and how large and how fast the page of a large one is: `python -m tests.bench.reports [rounds]`."""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path

from peeklock.reports.html import bundle
from peeklock.reports.html.page import write_page
from peeklock.reports.html.record import RunRecord
from tests.acceptance.browser import browser, page_at
from tests.bench.command import CannotMeasureError, copy_project, median, peeklock
from tests.bench.table import Row, render
from tests.unit.reports.html.test_page import FINISHED, STARTED, case, lives_of

FILES = ("scenarios/intellioptics/pipeline.yaml", "scenarios/intellioptics/contract.yaml")
SHOWN = "performance.getEntriesByName('shown')[0].startTime"


def cost(project: Path, rounds: int) -> list[Row]:
    """Return how much longer two files take with reports than without; rounds alternate.

    By the clock, which on a busy machine says little, and by the CPU time that reports add to the command.
    """
    found: dict[str, list[tuple[float, float]]] = {"--report": [], "--no-report": []}
    for number in range(rounds):
        for choice, timed in sorted(found.items(), reverse=bool(number % 2)):
            timed.append(_timed(project, choice))
    pairs = list(zip(*found.values(), strict=True))
    clock = [with_it[0] / without[0] for with_it, without in pairs]
    cpu = [1 + (with_it[1] - without[1]) / without[0] for with_it, without in pairs]
    what = "a warm run of two files: with reports / without"
    return [
        Row(f"{what}, by added CPU time", median(cpu), "x", 1.05, _told(cpu)),
        Row(f"{what}, by the clock", median(clock), "x", None, _told(clock)),
    ]


def _timed(project: Path, choice: str) -> tuple[float, float]:
    """Seconds of a run, and the CPU seconds of its command; services on a warm stack are not its children."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    peeklock(project, "run", *FILES, choice)
    seconds, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _told(values: list[float]) -> str:
    return "pairs " + ", ".join(f"{each:.3f}" for each in values)


def opening(folder: Path, rounds: int) -> list[Row]:
    """Return the size of the page of 1,000 cases with 100,000 ledger entries, and how long the browser takes to show it."""
    viewer = bundle.found()
    if viewer is None:
        raise CannotMeasureError("`peeklock setup` has not been run")
    path = large_page(folder, viewer)
    with browser() as opened:
        seconds = []
        for _ in range(rounds):
            with page_at(opened, path) as page:
                page.locator(".rows li").first.wait_for()
                seconds.append(page.evaluate(SHOWN) / 1000)
    each = ", ".join(f"{one:.2f}" for one in seconds)
    return [
        Row("a page of 1,000 cases and 100,000 ledger entries", path.stat().st_size / 1e3, "KB", 15_000),
        Row("opening it, by the browser's clock", median(seconds), "s", 2.0, each),
    ]


def large_page(folder: Path, viewer: bundle.Bundle) -> Path:
    """Make the page of 1,000 cases, of which the first has 20,000 ledger entries and each other one 80."""
    folder.mkdir(exist_ok=True)
    keep = RunRecord(folder)
    keep(STARTED)
    keep(case(entries=lives_of(5_000)))
    for _ in range(999):
        keep(case(entries=lives_of(20)))
    keep(FINISHED)
    return write_page(folder, viewer)


def main(rounds: int) -> None:
    """Measure both alone."""
    with tempfile.TemporaryDirectory(prefix="peeklock-bench-") as folder:
        rows = opening(Path(folder), rounds)
        project = copy_project(Path(folder) / "project")
        peeklock(project, "up")
        try:
            peeklock(project, "run", *FILES)  # what is done once a machine
            rows.extend(cost(project, rounds))
        finally:
            peeklock(project, "down")
    print("\n".join(render(rows)))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
