"""Makes an embedder of an ONNX classifier: what its last layer reads becomes an output.

Many repositories hold networks as they were trained, with ``logits`` as their only output. ONNX Runtime hands out
declared outputs only, so one more is declared. In the protobuf format a message may be written in parts, which a reader
merges, lists appended: a second, tiny ``ModelProto.graph`` (7) with one ``GraphProto.output`` (12) of the tensor's name
(ValueInfoProto.name 1) at the end of the file's bytes does it, and nothing before it is touched.

Source of the field numbers: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto, NodeProto: input 1, output 2,
op_type 4; GraphProto: node 1, initializer 5, output 12.
"""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from pathlib import Path

from ...errors import ModelError
from .onnx_file import external_data, fields

__all__ = ["with_features"]

_LAYERS = frozenset({"Gemm", "MatMul", "MatMulInteger", "QGemm", "Conv"})
# What may stand between the last layer and the output: bias, scale and casts of quantised layers, softmax, shapes.
_AFTER = frozenset({"Add", "Mul", "Cast", "Softmax", "Identity", "Reshape", "Flatten", "Squeeze", "DequantizeLinear"})
_CLASSES = frozenset({"logits", "scores", "probabilities"})


@dataclass(frozen=True, slots=True)
class _Node:
    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def with_features(path: Path) -> tuple[str | None, bytes | None]:
    """Return the name of the features' tensor and the model's bytes with it as an output.

    (None, None) where the model is no classifier: its only output is not called ``logits``, ``scores`` or
    ``probabilities``; and where its weights lie in other files, which bytes in memory could not find.

    Raises:
        ModelError: the file is not ONNX.
    """
    try:
        features = None if external_data(path) else _features(path)
    except (ValueError, UnicodeDecodeError) as broken:
        raise ModelError(f"{path} is not an ONNX file: {broken}.") from broken
    if features is None:
        return None, None
    output = _message(12, _message(1, features.encode()))
    return features, path.read_bytes() + _message(7, output)


def _features(path: Path) -> str | None:
    nodes: list[_Node] = []
    outputs: list[str] = []
    known: set[str] = set()  # initializers: weights, not activations
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:

        def text(spans: list[tuple[int, int]]) -> tuple[str, ...]:
            return tuple(data[a:b].decode("utf-8") for a, b in spans)

        for graph in fields(data, 0, len(data), 7):
            for declared in fields(data, *graph, 12):
                outputs += text(list(fields(data, *declared, 1)))
            if not _CLASSES.issuperset(outputs):
                return None
            for tensor in fields(data, *graph, 5):
                known.update(text(list(fields(data, *tensor, 8))))
            for span in fields(data, *graph, 1):
                kind, ins, outs = (text(list(fields(data, *span, number))) for number in (4, 1, 2))
                nodes.append(_Node("".join(kind), ins, outs))
    if len(outputs) != 1:
        return None
    makers = {made: node for node in nodes for made in node.outputs}
    current = outputs[0]
    while current in makers:
        node = makers[current]
        before = [name for name in node.inputs if name not in known and name in makers]
        if not before:
            return None
        if node.kind in _LAYERS:
            return _unquantised(before[0], makers)
        if node.kind not in _AFTER:
            return None
        # A quantised layer's result is multiplied by a scale that is computed too.
        current = next((name for name in before if makers[name].kind in ("Cast", "MatMulInteger")), before[0])
    return None


def _unquantised(tensor: str, makers: dict[str, _Node]) -> str:
    """Step back over the quantisation of a layer's input."""
    while tensor in makers and makers[tensor].kind in ("DynamicQuantizeLinear", "QuantizeLinear"):
        tensor = makers[tensor].inputs[0]
    return tensor


def _message(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
