"""Turns what the model saw into an answer: YES, NO, COUNT, or UNCLEAR when it is not sure enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from services.intellioptics.worker.model import REPORT_FROM, Detection
from services.intellioptics.worker.question import Question

Word = Literal["YES", "NO", "COUNT", "UNCLEAR"]


@dataclass(frozen=True, slots=True)
class Answer:
    """``confidence`` is in 0..1; ``count`` is there with COUNT only."""

    word: Word
    confidence: float
    count: int | None = None


def answer(question: Question, detections: Sequence[Detection], *, threshold: float, cutoff: float) -> Answer:
    """Answer ``question`` from ``detections``, whose scores are in 0..1 and may lie below ``cutoff``.

    A detection counts from ``cutoff`` up. Confidence is what speaks for the answer: the best score for YES, its
    complement for NO, and for COUNT that of the least certain thing counted (for a count of 0, as for NO; with nothing reported at all, the best score is taken to be ``REPORT_FROM``). An answer
    whose confidence is below the detector's ``threshold`` is UNCLEAR and keeps that confidence. So is, with 0, the
    answer to a question about something that the model cannot see.
    """
    if question.subject is None:
        return Answer("UNCLEAR", 0.0)
    scores = sorted((item.score for item in detections if item.label == question.subject), reverse=True)
    seen = [score for score in scores if score >= cutoff]
    word: Word
    if question.is_count:
        word, confidence = "COUNT", seen[-1] if seen else 1 - max(scores, default=REPORT_FROM)
    elif seen:
        word, confidence = "YES", seen[0]
    else:
        word, confidence = "NO", 1 - max(scores, default=REPORT_FROM)
    confidence = round(min(max(confidence, 0.0), 1.0), 4)
    if confidence < threshold:
        return Answer("UNCLEAR", confidence)
    return Answer(word, confidence, len(seen) if word == "COUNT" else None)
