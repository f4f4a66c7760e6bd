"""A failure as text: the place, the mismatches, the timeline, the likely cause."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from peeklock.engine.events import CaseFinished
from peeklock.engine.failure import Failure, Moment

_LABEL = 13
_MOST_ROWS = 40
_WIDEST_COLUMN = 34


def render_failure(finished: CaseFinished, width: int = 140) -> Iterator[str]:
    """Yield the lines that tell of a failed case."""
    failure = finished.failure
    assert failure is not None
    waiting = finished.durations.waiting
    yield f"FAILED {finished.case}  ({finished.durations.total:.1f} s, of which waiting {waiting:.1f} s)"
    if failure.likely_cause:
        yield f"  {'likely cause':<{_LABEL}} {failure.likely_cause}"
    yield ""
    yield f'  {failure.where}  step "{failure.step}"' if failure.step else f"  {failure.where}"
    yield from (f"  {line}" for line in failure.excerpt)
    if failure.headline:
        yield f"  {failure.headline}"
    yield from _mismatches(failure)
    yield from (f"  {note}" for note in failure.notes)
    yield from (f"  also       {text}" for text in failure.also)
    if failure.timeline:
        yield ""
        yield from (f"  {line}" for line in render_timeline(failure.timeline, failure.started_at, width - 2))
    yield ""
    yield f"  {'repeat':<{_LABEL}} peeklock run '{finished.case}' --keep"
    if finished.artefacts:
        names = ",".join(sorted(path.name for path in finished.artefacts.iterdir()))
        yield f"  {'artefacts':<{_LABEL}} {near(finished.artefacts)}/{{{names}}}"


def _mismatches(failure: Failure) -> Iterator[str]:
    widest = max((len(m.path) for m in failure.mismatches), default=0)
    for mismatch in failure.mismatches[:20]:
        yield f"  {mismatch.path:<{widest}}   expected {mismatch.expected}"
        yield f"  {'':<{widest}}   actual   {mismatch.actual}"
    if len(failure.mismatches) > 20:
        yield f"  … and {len(failure.mismatches) - 20} more mismatches"


def cause_line(failure: Failure) -> str:
    """Return a failure in one line: what did not hold."""
    return failure.headline or "; ".join(
        f"{m.path}: expected {m.expected}, actual {m.actual}".removeprefix(": ") for m in failure.mismatches
    )


def render_timeline(moments: Sequence[Moment], started_at: float, width: int) -> Iterator[str]:
    """Yield a table of moments: a column for each actor where they fit, else the actor's name in each row."""
    shown, dropped = _shortened(_folded(moments))
    actors = list(dict.fromkeys(moment.actor for moment in shown))
    widths = [min(_WIDEST_COLUMN, max(len(a), *(len(m.text) for m in shown if m.actor == a))) for a in actors]
    columns = 10 + sum(size + 2 for size in widths) <= width
    if columns:
        head = "  ".join(f"{actor:<{size}}" for actor, size in zip(actors, widths, strict=True))
        yield f"timeline (ms)  {head}".rstrip()
    else:
        yield "timeline (ms)"
    longest = max(len(actor) for actor in actors)
    for index, moment in enumerate(shown):
        if dropped and index == _MOST_ROWS // 2:
            yield f"     … {dropped} more …"
        milliseconds = round((moment.at - started_at) * 1000)
        if columns:
            position = actors.index(moment.actor)
            indent = sum(size + 2 for size in widths[:position])
            text = moment.text if moment.alarming else _cut(moment.text, widths[position])
            yield f"{milliseconds:>8}       {' ' * indent}{text}".rstrip()
        else:
            yield f"{milliseconds:>8}  {moment.actor:<{longest}}  {moment.text}".rstrip()


def _folded(moments: Sequence[Moment]) -> list[Moment]:
    """Make one moment of those in which an actor only repeats itself, whatever others do meanwhile."""
    shown: list[Moment] = []
    last: dict[str, int] = {}
    times: Counter[int] = Counter()
    for moment in moments:
        before = last.get(moment.actor)
        if before is not None and shown[before].text == moment.text:
            times[before] += 1
            continue
        last[moment.actor] = len(shown)
        shown.append(moment)
    return [
        replace(moment, text=f"{moment.text} ×{times[number] + 1}") if times[number] else moment
        for number, moment in enumerate(shown)
    ]


def _cut(text: str, width: int) -> str:
    """Cut a text, and keep how often it came."""
    if len(text) <= width:
        return text
    head, times, count = text.rpartition(" ×")
    tail = times + count if head and count.isdigit() else ""
    return f"{text[: width - len(tail) - 1]}…{tail}"


def _shortened(moments: Sequence[Moment]) -> tuple[list[Moment], int]:
    """Keep the alarming moments and those at both ends."""
    if len(moments) <= _MOST_ROWS:
        return list(moments), 0
    half = _MOST_ROWS // 2
    middle = [moment for moment in moments[half:-half] if moment.alarming][:half]
    return [*moments[:half], *middle, *moments[-half:]], len(moments) - 2 * half - len(middle)


def near(path: Path) -> str:
    """Return a path as seen from the working directory where it lies below it."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
