"""What a run of the SDK's tests tells: a table of groups, then each test that did not simply pass, with why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

_COLUMNS = ("passed", "failed", "expected", "skipped")


class Result(NamedTuple):
    """What became of one test: `outcome` as pytest calls it."""

    group: str
    test: str
    outcome: str
    seconds: float
    why: str
    details: str = ""


def table(results: Iterable[Result], expected: Mapping[str, str]) -> tuple[str, bool]:
    """Return the report, and whether all is well: something passed, nothing failed but what is expected to, and nothing
    passed that is expected to fail. `expected` has reasons by test."""
    outcomes = _merged(results)
    groups: dict[str, dict[str, float]] = {}
    rest: list[str] = []
    good = bool(outcomes)
    for result in outcomes:
        counts = groups.setdefault(result.group, dict.fromkeys((*_COLUMNS, "minutes"), 0.0))
        listed = result.test in expected
        column = "expected" if listed and result.outcome == "failed" else result.outcome
        counts[column] += 1
        counts["minutes"] += result.seconds / 60
        if column == "failed" or (listed and column == "passed"):
            good = False
        if column == "expected":
            rest.append(f"  expected to fail: {result.test}\n      {expected[result.test]}\n      now: {result.why}")
        elif listed and column == "passed":
            rest.append(
                f"  PASSED, though expected to fail: {result.test}\n      take it off the list; it said: {expected[result.test]}"
            )
        elif column != "passed":
            rest.append(f"  {column.upper() if column == 'failed' else column}: {result.test}\n      {result.why}")
    total = {key: sum(counts[key] for counts in groups.values()) for key in (*_COLUMNS, "minutes")}
    lines = [f"{'':14}{'passed':>8}{'failed':>8}{'expected':>10}{'skipped':>9}{'minutes':>9}"]
    for name, counts in [*groups.items(), ("all", total)]:
        lines.append(
            f"{name:14}{counts['passed']:8.0f}{counts['failed']:8.0f}{counts['expected']:10.0f}{counts['skipped']:9.0f}"
            f"{counts['minutes']:9.1f}"
        )
    lines.append("(expected: failed, and listed with the reason; minutes: of the tests one after another)")
    if rest:
        lines += ["", "not passed:" if good else "not passed, or not as expected:", *rest]
    return "\n".join(lines), good and bool(total["passed"])


def _merged(results: Iterable[Result]) -> list[Result]:
    """Return one result a test, in order of group and file: one that failed at its end, too, has failed."""
    merged: dict[str, Result] = {}
    for result in results:
        if result.test not in merged or result.outcome == "failed":
            merged[result.test] = result
    from .source import GROUPS

    order = list(GROUPS)
    return sorted(merged.values(), key=lambda result: (order.index(result.group), result.test))
