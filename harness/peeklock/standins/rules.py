"""Which rule answers a request: the first whose `when` matches and whose `sequence` is not used up."""

from __future__ import annotations

import difflib
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from peeklock.scenario.matchers import Context, Mismatch, compile_matcher
from peeklock.scenario.topology import Answer, AnswerRule


@dataclass(frozen=True, slots=True)
class Chosen:
    """The answer of a rule."""

    rule: int
    answer: Answer


class Rules:
    """The rules of one deployment or route, and how far their sequences are. Thread-safe."""

    def __init__(self, rules: Sequence[AnswerRule], context: Context) -> None:
        self._rules = [(rule, compile_matcher(rule.when or {})) for rule in rules]
        self._context = context
        self._lock = threading.Lock()
        self._used = [0] * len(rules)

    def choose(self, view: Mapping[str, Any]) -> Chosen | None:
        """Return the answer to a request, or None when no rule has one."""
        with self._lock:
            for index, (rule, matcher) in enumerate(self._rules):
                if matcher.match(view, self._context, ""):
                    continue
                if rule.sequence is None:
                    return Chosen(index, rule)
                if self._used[index] < len(rule.sequence):
                    self._used[index] += 1
                    return Chosen(index, rule.sequence[self._used[index] - 1])
        return None

    def nearest(self, view: Mapping[str, Any]) -> tuple[int, str]:
        """Return the rule that came nearest, and what kept it from answering."""
        judged = list(enumerate(self._judge(view)))
        index, mismatches = min(judged, key=lambda each: (len(each[1]), -_likeness(each[1])))
        if not mismatches:
            sequence = self._rules[index][0].sequence or []
            return index, f"its sequence of {len(sequence)} answers is used up"
        return index, "; ".join(f"{each.path} is {each.actual}, not {each.expected}" for each in mismatches[:3])

    def _judge(self, view: Mapping[str, Any]) -> list[list[Mismatch]]:
        return [matcher.match(view, self._context, "") for _, matcher in self._rules]

    def reset(self) -> None:
        """Begin every sequence again."""
        with self._lock:
            self._used = [0] * len(self._rules)


def _likeness(mismatches: Sequence[Mismatch]) -> float:
    """Return how alike what was expected and what came are, so that of two rules the one with a slip of the pen is named."""
    return sum(difflib.SequenceMatcher(None, each.expected, each.actual).ratio() for each in mismatches)
