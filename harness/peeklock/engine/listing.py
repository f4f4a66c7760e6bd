"""The parts of scenario files that a case runs, as they are written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from peeklock.engine.record import Listing
from peeklock.scenario.document import Document
from peeklock.scenario.errors import Span, shorten
from peeklock.scenario.model import Case, Scenario, Step, walk

LONGEST = 2000
"""Lines of one part; the file has the rest."""


def listings(scenario: Scenario, case: Case) -> tuple[Listing, ...]:
    """Return what a case runs, in the order in which it runs: background, the case, `finally`; then the fragments that they use."""
    root = scenario.root
    own = (("background", scenario.background), ("case", case.steps), ("finally", scenario.finally_))
    top = [listing for part, steps in own for listing in _by_document(part, steps, root)]
    if scenario.document.owner(case.path) is scenario.document:
        name = scenario.document.key_span(case.path).line
        top = [_from(name, scenario.document, each, root) if each.part == "case" else each for each in top]
    known = {step.document.path for _, steps in own for step in steps}
    inner = [step for _, steps in own for each in steps for step in walk(each.steps) if step.document.path not in known]
    return (*top, *_by_document("", inner, root))


def last_line(document: Document, span: Span) -> int:
    """Return the last line that is of a span: the end of a block is where the next one begins."""
    lines = document.source.splitlines()
    last = min(span.end_line, len(lines))
    if span.end_line == last > span.line and not lines[last - 1][: span.end_column - 1].strip(" -"):
        last -= 1
    while last > span.line and (not (text := lines[last - 1].strip()) or text.startswith("#")):
        last -= 1
    return last


def _by_document(part: str, steps: Iterable[Step], root: Path) -> list[Listing]:
    grouped: dict[Path, list[Step]] = {}
    for step in steps:
        grouped.setdefault(step.document.path, []).append(step)
    return [_listing(part or f"fragment {group[0].document.path.name}", group, root) for group in grouped.values()]


def _listing(part: str, steps: Sequence[Step], root: Path) -> Listing:
    document = steps[0].document
    spans = [document.span(step.path) for step in steps]
    first, last = min(span.line for span in spans), max(last_line(document, span) for span in spans)
    return _cut(document, part, first, last, sorted({span.line for span in spans}), root)


def _cut(document: Document, part: str, first: int, last: int, steps: Sequence[int], root: Path) -> Listing:
    lines = document.source.splitlines()[first - 1 : min(last, first + LONGEST)]
    return Listing(part, shorten(document.path, root), first, tuple(lines), tuple(steps))


def _from(first: int, document: Document, listing: Listing, root: Path) -> Listing:
    """Let the part of a case begin with its name."""
    last = listing.first + len(listing.lines) - 1
    return _cut(document, listing.part, min(first, listing.first), last, listing.steps, root)
