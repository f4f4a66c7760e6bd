"""One way to any detection model: an ONNX file in, labelled boxes out."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import onnxruntime
    from PIL import Image

# What is reported at all; the answer policy applies the real cut-off. Low, because NO is only as sure as the best
# score below the cut-off is low.
REPORT_FROM = 0.01


@dataclass(frozen=True, slots=True)
class Detection:
    """Something seen: ``box`` is (left, top, right, bottom) in pixels of the image that was given."""

    label: str
    score: float
    box: tuple[float, float, float, float]


class DetectionModel(Protocol):
    """A loaded model. ``side`` is the length in pixels to which an image's longer side is best brought."""

    labels: Sequence[str]
    side: int

    def detect(self, image: Image.Image) -> list[Detection]:
        """Return everything in the RGB ``image`` that scores at least ``REPORT_FROM``. Thread-safe."""
        ...


class UnsupportedModelError(Exception):
    """The file is no ONNX model, or its inputs and outputs are those of no adapter; the message lists them."""


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """``version`` is '<file name>:<revision>', the revision being the first 12 digits of the file's SHA-256."""

    detector: DetectionModel
    version: str


def load_model(path: Path) -> LoadedModel:
    """Load the ONNX file at ``path`` and choose the adapter by the shape of its inputs and outputs."""
    # Imported here, on the thread that loads the model: the service connects meanwhile.
    import onnxruntime

    from services.intellioptics.worker.centerface import CenterFace
    from services.intellioptics.worker.yolo import Yolo

    options = onnxruntime.SessionOptions()
    # The worker scales by processes and messages in hand, not by threads that fight over the same cores.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    data = path.read_bytes()
    try:
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions share no public base class
        raise UnsupportedModelError(f"{path.name} cannot be loaded: {str(error).splitlines()[0]}") from error
    version = f"{path.name}:{hashlib.sha256(data).hexdigest()[:12]}"
    for adapter in (CenterFace, Yolo):
        if adapter.fits(session):
            return LoadedModel(adapter(session), version)
    raise UnsupportedModelError(f"{path.name} fits no adapter (CenterFace, YOLO): {_signature(session)}")


def _signature(session: onnxruntime.InferenceSession) -> str:
    inputs = ", ".join(f"{item.name}{item.shape}" for item in session.get_inputs())
    outputs = ", ".join(f"{item.name}{item.shape}" for item in session.get_outputs())
    return f"inputs {inputs}; outputs {outputs}"
