from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fixtures.factories import PHOTOS
from services.intellioptics.worker.answers import Answer, answer
from services.intellioptics.worker.boxes import keep_best
from services.intellioptics.worker.model import LoadedModel, UnsupportedModelError, load_model
from services.intellioptics.worker.question import understand
from services.shared.image import open_image
from tests.unit.services.tiny_onnx import constant_output_model

PRESENCE, COUNT = "Is there a person in the image?", "How many people are there?"


@pytest.fixture(scope="module")
def centerface(model_path: Path) -> LoadedModel:
    return load_model(model_path)


def _answer(model: LoadedModel, photo: str, question: str, threshold: float = 0.7) -> Answer:
    data = (PHOTOS / photo).read_bytes()
    image = open_image(data, max_pixels=10_000_000, side=model.detector.side)
    detections = model.detector.detect(image)
    return answer(understand(question, model.detector.labels), detections, threshold=threshold, cutoff=0.5)


@pytest.mark.parametrize(
    ("photo", "question", "word", "count", "confidence"),
    [
        ("person.jpg", PRESENCE, "YES", None, 0.913),
        ("person_profile.jpg", PRESENCE, "YES", None, 0.847),
        ("people.jpg", PRESENCE, "YES", None, 0.824),
        ("coffee.jpg", PRESENCE, "NO", None, 0.984),
        ("cat.jpg", PRESENCE, "NO", None, 0.967),
        ("rocket.jpg", PRESENCE, "NO", None, 0.958),
        ("person_blurred.jpg", PRESENCE, "UNCLEAR", None, 0.540),
        ("people.jpg", COUNT, "COUNT", 3, 0.798),
        ("person.jpg", COUNT, "COUNT", 1, 0.913),
        ("coffee.jpg", COUNT, "COUNT", 0, 0.984),
        ("person_blurred.jpg", COUNT, "UNCLEAR", None, 0.540),
    ],
)
def test_the_real_model_gives_all_four_answers_on_real_photos(
    centerface: LoadedModel, photo: str, question: str, word: str, count: int | None, confidence: float
) -> None:
    """IO-17; the scores are those that fixtures/images/README.md records."""
    given = _answer(centerface, photo, question)
    assert (given.word, given.count) == (word, count)
    assert given.confidence == pytest.approx(confidence, abs=0.02)


def test_a_models_version_names_its_file_and_what_is_in_it(centerface: LoadedModel) -> None:
    assert centerface.version == "centerface.onnx:e4e7de3068cc"


def test_boxes_are_in_pixels_of_the_image_given(centerface: LoadedModel) -> None:
    image = Image.open(PHOTOS / "person.jpg").convert("RGB")
    (left, top, right, bottom) = centerface.detector.detect(image)[0].box
    assert 150 < left < right < 300
    assert 30 < top < bottom < 220


def test_of_boxes_that_show_the_same_thing_the_best_is_kept() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 1, 11, 11], [20, 20, 30, 30]], np.float32)
    assert keep_best(boxes, np.array([0.6, 0.9, 0.7], np.float32), 0.5) == [1, 2]
    assert keep_best(boxes, np.array([0.6, 0.9, 0.7], np.float32), 0.9) == [1, 2, 0]
    assert keep_best(np.empty((0, 4), np.float32), np.empty(0, np.float32), 0.5) == []


def _yolo_table() -> np.ndarray:
    """Three boxes as v8 writes them (x, y, width, height, then a score a class), on a 64 x 64 input."""
    rows = [[32, 32, 16, 16, 0.9, 0.1], [33, 32, 16, 16, 0.8, 0.1], [8, 20, 8, 8, 0.0, 0.7]]
    rows += [[0, 0, 1, 1, 0.0, 0.0]] * 20
    return np.array(rows, np.float32)


@pytest.mark.parametrize("is_v5", [False, True])
def test_a_yolo_file_loads_through_the_same_door(tmp_path: Path, is_v5: bool) -> None:
    table = _yolo_table()
    if is_v5:
        table = np.insert(table, 4, 1.0, axis=1)  # objectness
    path = tmp_path / "tiny.onnx"
    output = table[None] if is_v5 else table.T[None]
    path.write_bytes(constant_output_model((1, 3, 64, 64), np.ascontiguousarray(output), "{0: 'person', 1: 'dog'}"))
    model = load_model(path).detector
    assert tuple(model.labels) == ("person", "dog")
    person, dog = model.detect(Image.new("RGB", (128, 64)))
    assert (person.label, dog.label) == ("person", "dog")
    assert person.score == pytest.approx(0.9)
    # 64 wide on 128: half the scale, and 16 pixels of grey above.
    assert person.box == pytest.approx((48, 16, 80, 48))
    assert dog.box == pytest.approx((8, 0, 24, 16))


def test_a_yolo_answers_through_the_same_policy(tmp_path: Path) -> None:
    path = tmp_path / "tiny.onnx"
    path.write_bytes(constant_output_model((1, 3, 64, 64), _yolo_table().T[None].copy(), "{0: 'person', 1: 'dog'}"))
    model = load_model(path)
    assert _answer(model, "coffee.jpg", "Is there a dog?", 0.5) == Answer("YES", 0.7)
    assert _answer(model, "coffee.jpg", COUNT, 0.5) == Answer("COUNT", 0.9, 1)


def test_a_file_that_is_no_model_is_named(tmp_path: Path) -> None:
    path = tmp_path / "photo.onnx"
    path.write_bytes((PHOTOS / "cat.jpg").read_bytes())
    with pytest.raises(UnsupportedModelError, match=r"photo\.onnx cannot be loaded"):
        load_model(path)


def test_a_model_that_fits_no_adapter_is_told_by_its_inputs_and_outputs(tmp_path: Path) -> None:
    path = tmp_path / "classifier.onnx"
    path.write_bytes(constant_output_model((1, 3, 64, 64), np.zeros((1, 1000), np.float32)))
    with pytest.raises(
        UnsupportedModelError, match=r"fits no adapter .* inputs image\[1, 3, 64, 64\]; outputs table\["
    ):
        load_model(path)
