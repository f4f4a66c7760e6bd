"""The item of a list that came nearest to what was looked for, and where it differs."""

from __future__ import annotations

from typing import Any

from peeklock.scenario.matchers.base import Context, Matcher, show

_MOST = 3
_ENOUGH = 200
"""Items that are looked at."""


def nearest(item: Matcher, actual: list[Any], context: Context, at: str) -> str:
    """Return in words what keeps the nearest item of `actual` from matching; empty where there is none."""
    judged = [(value, item.match(value, context, "")) for value in actual[:_ENOUGH]]
    if not judged:
        return ""
    value, wrong = min(judged, key=lambda one: (not all(each.path for each in one[1]), len(one[1])))
    if not all(each.path for each in wrong):  # not even of the same kind
        return f"no item like it; there are {', '.join(show(each) for each in actual[:_MOST])}" + _more(actual)
    told = "; ".join(f"{each.path} is {each.actual}, not {each.expected}" for each in wrong[:_MOST])
    return f"no item like it; the nearest is {show(value)}: {told}" + _more(wrong)


def _more(items: list[Any]) -> str:
    return f" and {len(items) - _MOST} more" if len(items) > _MOST else ""
