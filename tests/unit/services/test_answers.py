from __future__ import annotations

import pytest

from services.intellioptics.worker.answers import Answer, answer
from services.intellioptics.worker.model import Detection
from services.intellioptics.worker.question import Question, understand

PRESENCE, COUNT = Question(False, "person"), Question(True, "person")


def _seen(*scores: float, label: str = "person") -> list[Detection]:
    return [Detection(label, score, (0, 0, 1, 1)) for score in scores]


@pytest.mark.parametrize(
    ("question", "scores", "threshold", "expected"),
    [
        (PRESENCE, (0.9, 0.2), 0.7, Answer("YES", 0.9)),
        (PRESENCE, (0.1,), 0.7, Answer("NO", 0.9)),
        (PRESENCE, (), 0.9, Answer("NO", 0.99)),
        (PRESENCE, (0.6,), 0.7, Answer("UNCLEAR", 0.6)),
        (PRESENCE, (0.4,), 0.7, Answer("UNCLEAR", 0.6)),
        (PRESENCE, (0.7,), 0.7, Answer("YES", 0.7)),
        (COUNT, (0.9, 0.8, 0.3), 0.7, Answer("COUNT", 0.8, 2)),
        (COUNT, (0.9, 0.6), 0.7, Answer("UNCLEAR", 0.6)),
        (COUNT, (0.1,), 0.7, Answer("COUNT", 0.9, 0)),
    ],
)
def test_the_answer_follows_from_question_scores_and_threshold(
    question: Question, scores: tuple[float, ...], threshold: float, expected: Answer
) -> None:
    assert answer(question, _seen(*scores), threshold=threshold, cutoff=0.5) == expected


def test_only_what_was_asked_for_counts() -> None:
    detections = _seen(0.9, label="dog") + _seen(0.2)
    assert answer(PRESENCE, detections, threshold=0.5, cutoff=0.5) == Answer("NO", 0.8)


def test_a_question_about_what_the_model_cannot_see_is_never_answered() -> None:
    assert answer(Question(False, None), _seen(0.99), threshold=0.0, cutoff=0.5).confidence == 0.0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Is there a person in the image?", Question(False, "person")),
        ("Is anybody there?", Question(False, "person")),
        ("How many people are there?", Question(True, "person")),
        ("What is the number of faces?", Question(True, "person")),
        ("Is there a cat?", Question(False, None)),
        ("Is a personal item left?", Question(False, None)),
    ],
)
def test_a_question_is_understood_by_its_words(text: str, expected: Question) -> None:
    assert understand(text, ["person"]) == expected


def test_a_model_with_more_classes_understands_more_questions() -> None:
    labels = ["person", "dog", "traffic light", "bus"]
    assert understand("How many dogs?", labels) == Question(True, "dog")
    assert understand("Is there a traffic light?", labels).subject == "traffic light"
    assert understand("Are there buses?", labels).subject == "bus"
