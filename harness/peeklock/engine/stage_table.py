"""Two lists of stages side by side: what was expected, what was there, and where they part."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from peeklock.engine.item_path import Stage
from peeklock.scenario.matchers import Context, Matcher, compile_matcher, show

KINDS = ("queue", "call", "blob")
"""What a stage is: each has exactly one of these keys."""
_WIDEST = 60


@dataclass(frozen=True)
class Row:
    """One line of the table; `mark` is empty where both sides agree."""

    number: int | None
    expected: Mapping[str, Any] | None
    actual: Stage | None
    mark: str = ""
    why: str = ""


def compare(expected: Sequence[Mapping[str, Any]], actual: Sequence[Stage], context: Context) -> list[Row]:
    """Return the table in which as many stages agree as can, in their order."""
    matchers = [compile_matcher(dict(each)) for each in expected]
    fits = [[not _differences(matcher, stage, context) for stage in actual] for matcher in matchers]
    rows: list[Row] = []
    e = a = 0
    for until_e, until_a in [*_pairs(fits, len(actual)), (len(expected), len(actual))]:
        rows += _gap(expected, actual, matchers, fits, range(e, until_e), range(a, until_a), context)
        if until_e < len(expected):
            rows.append(Row(until_e + 1, expected[until_e], actual[until_a]))
        e, a = until_e + 1, until_a + 1
    return rows


def render(title: str, rows: Sequence[Row], started_at: float) -> Iterator[str]:
    """Yield the table; the first row that is marked begins with `>`."""
    left = [_cut(stage_text(row.expected)) if row.expected is not None else "" for row in rows]
    width = max([len("expected"), *map(len, left)])
    marks = max([0, *(len(row.mark) for row in rows)])
    head = f"{title:<{marks + 7}}  "
    yield f"{head}{'expected':<{width}}  {'ms':>7}  actual"
    first = next((index for index, row in enumerate(rows) if row.mark), None)
    for index, (row, text) in enumerate(zip(rows, left, strict=True)):
        number = "" if row.number is None else str(row.number)
        begin = f"{'>' if index == first else ' '}{number:>4}  {row.mark:<{marks}}".ljust(len(head))
        there = row.actual
        right = "" if there is None else f"{round((there.at - started_at) * 1000):>7}  {_cut(stage_text(there.view))}"
        yield f"{begin}{text:<{width}}  {right}".rstrip()
        if row.why:
            yield f"{'':<{len(head)}}{row.why}"


def stage_text(view: Mapping[str, Any]) -> str:
    """Return a stage, or what is expected of one, in one line: `api → jobs → worker`."""
    kind = next(key for key in KINDS if key in view)
    words = [_word(view[kind])] if kind != "blob" else [f"blob {_word(view[kind])}"]
    told = {"queue": (), "call": ("method", "path", "deployment"), "blob": ()}[kind]
    words += [_word(view[key]) for key in told if key in view]
    text = " ".join(words)
    if "from" in view:
        text = f"{_word(view['from'])} → {text}"
    if "to" in view:
        text += f" → {_word(view['to'])}"
    notes = [_word(view["outcome"])] if view.get("outcome", "completed") != "completed" else []
    notes += [f"{view['deliveries']} deliveries"] if "to" in view and view.get("deliveries", 1) not in (0, 1) else []
    return text + (f" ({', '.join(notes)})" if notes else "")


def _word(value: Any) -> str:
    if isinstance(value, list):
        return " and ".join(map(_word, value))
    return value if isinstance(value, str) else show(value)


def _cut(text: str) -> str:
    return text if len(text) <= _WIDEST else text[: _WIDEST - 1] + "…"


def _differences(matcher: Matcher, stage: Stage, context: Context) -> list[str]:
    return [
        f"{found.path} is {found.actual}, not {found.expected}"
        for found in matcher.match(dict(stage.view), context, "")
    ]


def _pairs(fits: list[list[bool]], count: int) -> list[tuple[int, int]]:
    """Return the longest list of agreeing pairs that is in order on both sides."""
    best = [[0] * (count + 1) for _ in range(len(fits) + 1)]
    for e in reversed(range(len(fits))):
        for a in reversed(range(count)):
            together = best[e + 1][a + 1] + 1 if fits[e][a] else 0
            best[e][a] = max(together, best[e + 1][a], best[e][a + 1])
    pairs, e, a = [], 0, 0
    while e < len(fits) and a < count:
        if fits[e][a] and best[e][a] == best[e + 1][a + 1] + 1:
            pairs.append((e, a))
            e, a = e + 1, a + 1
        elif best[e + 1][a] >= best[e][a + 1]:
            e += 1
        else:
            a += 1
    return pairs


def _gap(
    expected: Sequence[Mapping[str, Any]],
    actual: Sequence[Stage],
    matchers: Sequence[Matcher],
    fits: list[list[bool]],
    missing: range,
    more: range,
    context: Context,
) -> Iterator[Row]:
    """Yield rows for stages between two agreeing ones; those of the same queue, stand-in or container stand together."""
    left = list(more)
    for e in missing:
        elsewhere = any(fits[e])
        alike = [] if elsewhere else [a for a in left if _same_place(expected[e], actual[a]) and not _fit_any(fits, a)]
        if alike:
            yield from (_surplus(actual[a], fits, a) for a in left[: left.index(alike[0])])
            del left[: left.index(alike[0]) + 1]
            found = actual[alike[0]]
            why = "; ".join(_differences(matchers[e], found, context)[:3])
            waits = found.in_flight
            yield Row(e + 1, expected[e], found, "in flight" if waits else "differs", "" if waits else why)
        else:
            yield Row(
                e + 1, expected[e], None, "out of order" if elsewhere and _surplus_of(fits, e) >= 0 else "missing"
            )
    yield from (_surplus(actual[a], fits, a) for a in left)


def _surplus(stage: Stage, fits: list[list[bool]], a: int) -> Row:
    wanted = [e for e in range(len(fits)) if fits[e][a]]
    if not wanted:
        return Row(None, None, stage, "not expected")
    return Row(None, None, stage, "twice" if all(_surplus_of(fits, e) > 0 for e in wanted) else "out of order")


def _surplus_of(fits: list[list[bool]], e: int) -> int:
    """How many more stages like this one were there than are expected."""
    return sum(fits[e]) - sum(row == fits[e] for row in fits)


def _fit_any(fits: list[list[bool]], a: int) -> bool:
    return any(row[a] for row in fits)


def _same_place(expected: Mapping[str, Any], stage: Stage) -> bool:
    return any(
        key in expected and key in stage.view and (key == "blob" or expected[key] == stage.view[key]) for key in KINDS
    )
