"""Finds the embedding inside a TensorFlow Lite classifier, and makes it the model's output.

A classifier's file ends in ... -> features -> classifier (1x1 convolution or fully connected, 1000 or 1001 classes)
-> reshape, softmax. The features are a better embedding than the classes, but an interpreter only hands out declared
outputs. The number of the output tensor stands in the file in four bytes, so they are overwritten in a copy in memory:
no operator is lost or added, and the interpreter can still fuse and reuse memory as it likes.

Source of the layout: https://github.com/tensorflow/tensorflow/blob/master/tensorflow/compiler/mlir/lite/schema/schema.fbs
and the FlatBuffers format: a table starts with the signed distance back to its vtable; a vtable holds 2-byte offsets of
the fields, from its fifth byte on; a vector is a 4-byte length and its elements.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

__all__ = ["before_classifier"]

CLASS_COUNTS = (1000, 1001)  # ImageNet's, without and with a background class

_CONV_2D, _FULLY_CONNECTED = 3, 9
_AFTER_CLASSIFIER = frozenset({6, 14, 22, 25, 43, 114})  # dequantize, logistic, reshape, softmax, squeeze, quantize


@dataclass(frozen=True, slots=True)
class _Table:
    data: bytes
    at: int

    def field(self, number: int) -> int | None:
        """Return where the field's value starts; None when it is absent."""
        vtable = self.at - int(struct.unpack_from("<i", self.data, self.at)[0])
        slot = 4 + 2 * number
        if slot >= struct.unpack_from("<H", self.data, vtable)[0]:
            return None
        offset = int(struct.unpack_from("<H", self.data, vtable + slot)[0])
        return self.at + offset if offset else None

    def integer(self, number: int, kind: str) -> int:
        at = self.field(number)
        return 0 if at is None else int(struct.unpack_from(kind, self.data, at)[0])

    def vector(self, number: int) -> tuple[int, int]:
        """Return (start of the first element, number of elements)."""
        at = self.field(number)
        if at is None:
            return 0, 0
        at = _follow(self.data, at)
        return at + 4, int(struct.unpack_from("<I", self.data, at)[0])

    def integers(self, number: int) -> list[int]:
        start, length = self.vector(number)
        return list(struct.unpack_from(f"<{length}i", self.data, start)) if length else []

    def tables(self, number: int) -> list[_Table]:
        start, length = self.vector(number)
        return [_Table(self.data, _follow(self.data, start + 4 * i)) for i in range(length)]


def before_classifier(data: bytes) -> bytes:
    """Return the model with the classifier's input as its output; the same bytes when it is no classifier.

    Args:
        data: a .tflite file.

    Raises:
        ValueError: the bytes are not a TensorFlow Lite model.
    """
    if data[4:8] != b"TFL3":
        raise ValueError("its first bytes are not those of a TensorFlow Lite file")
    try:
        model = _Table(data, _follow(data, 0))
        graphs = model.tables(2)
        if not graphs:
            raise ValueError("it has no graph")
        features = _features(model, graphs[0])
        if features is None:
            return data
        start, _ = graphs[0].vector(2)
    except (struct.error, IndexError, MemoryError) as broken:
        raise ValueError("it is truncated or damaged") from broken
    return data[:start] + struct.pack("<i", features) + data[start + 4 :]


def _features(model: _Table, graph: _Table) -> int | None:
    """Return the number of the tensor that the classifier reads; None when the model does not end in one."""
    outputs = graph.integers(2)
    if len(outputs) != 1:
        return None
    # builtin_code (3) replaced the one-byte deprecated_builtin_code (0); a file may fill either, the larger one counts
    codes = [max(code.integer(0, "<b"), code.integer(3, "<i")) for code in model.tables(1)]
    shapes = [tensor.integers(0) for tensor in graph.tables(0)]
    makers = {made: op for op in graph.tables(3) for made in op.integers(2)}
    tensor = outputs[0]
    while tensor in makers:
        maker = makers[tensor]
        code = codes[maker.integer(0, "<I")]
        if code in (_CONV_2D, _FULLY_CONNECTED):
            return maker.integers(1)[0] if shapes[tensor][-1] in CLASS_COUNTS else None
        if code not in _AFTER_CLASSIFIER:
            return None
        tensor = maker.integers(1)[0]
    return None


def _follow(data: bytes, at: int) -> int:
    return at + int(struct.unpack_from("<I", data, at)[0])
