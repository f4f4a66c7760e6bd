"""Understands a detector's question, as far as the model's classes go."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

PERSON = "person"

_COUNTING = re.compile(r"\b(how many|count|number of)\b", re.IGNORECASE)
_PERSON_WORDS = frozenset(
    (
        *("person", "persons", "people", "human", "humans", "face", "faces", "man", "men", "woman", "women", "crowd"),
        *("boy", "boys", "girl", "girls", "child", "children", "kid", "kids", "baby", "babies", "adult", "adults"),
        *("someone", "somebody", "anyone", "anybody", "everyone", "everybody", "nobody", "who", "staff"),
        *("worker", "workers", "employee", "employees", "visitor", "visitors", "guest", "guests"),
        *("customer", "customers", "passenger", "passengers", "pedestrian", "pedestrians"),
    )
)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked for. ``subject`` is one of the model's labels, or None when the model knows no such thing."""

    is_count: bool
    subject: str | None


def understand(text: str, labels: Sequence[str]) -> Question:
    """Read ``text``: does it ask how many, and about which of the model's ``labels``?"""
    words = re.findall(r"[a-z]+", text.lower())
    subject = next((label for label in labels if _names(label, words)), None)
    if subject is None and PERSON in labels and _PERSON_WORDS.intersection(words):
        subject = PERSON
    return Question(is_count=_COUNTING.search(text) is not None, subject=subject)


def _names(label: str, words: list[str]) -> bool:
    """Whether the (perhaps two-word) label stands in the question, in singular or plain plural."""
    parts = label.split()
    for start in range(len(words) - len(parts) + 1):
        *before, last = words[start : start + len(parts)]
        if before == parts[:-1] and last in (parts[-1], f"{parts[-1]}s", f"{parts[-1]}es"):
            return True
    return False
