"""Writes an ONNX file by hand, in protobuf's wire format: enough to test an adapter without the ``onnx`` package."""

from __future__ import annotations

import numpy as np

_FLOAT = 1


def constant_output_model(input_shape: tuple[int, ...], output: np.ndarray, names: str = "") -> bytes:
    """Return a model that takes ``image`` of ``input_shape`` and always puts out ``table`` = ``output`` (float32).

    ``names`` becomes the metadata entry that YOLO exports carry.
    """
    node = _text(2, "table") + _text(4, "Constant") + _message(5, _attribute(output))
    graph = (
        _message(1, node)
        + _text(2, "tiny")
        + _message(11, _value("image", input_shape))
        + _message(12, _value("table", output.shape))
    )
    model = _number(1, 8) + _message(7, graph) + _message(8, _number(2, 13))
    if names:
        model += _message(14, _text(1, "names") + _text(2, names))
    return model


def _attribute(value: np.ndarray) -> bytes:
    tensor = b"".join(_number(1, side) for side in value.shape) + _number(2, _FLOAT)
    tensor += _message(9, value.astype("<f4").tobytes())
    return _text(1, "value") + _message(5, tensor) + _number(20, 4)


def _value(name: str, shape: tuple[int, ...]) -> bytes:
    sides = b"".join(_message(1, _number(1, side)) for side in shape)
    return _text(1, name) + _message(2, _message(1, _number(1, _FLOAT) + _message(2, sides)))


def _message(field: int, data: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(data)) + data


def _text(field: int, text: str) -> bytes:
    return _message(field, text.encode())


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
