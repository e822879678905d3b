"""A ViT-B/32 with random weights as an ONNX file: the cost of CLIP's usual image tower, without its download.

Dosovitskiy et al., An Image is Worth 16x16 Words, 2021, table 1: 12 layers, width 768, MLP 3072, 12 heads, patches of
32 pixels at 224, layer norm before each block, GELU by the error function; the output is the class token after the last
layer norm. 87.5 million parameters, 350 MB.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper

__all__ = ["parameters", "write_vit"]

SIDE, PATCH, WIDTH, LAYERS, HEADS, MLP = 224, 32, 768, 12, 12, 3072
TOKENS = (SIDE // PATCH) ** 2 + 1
OPSET = 17  # the first with LayerNormalization


class _Graph:
    """Collects nodes and weights; each method returns the name of what it computes."""

    def __init__(self, seed: int) -> None:
        self.nodes: list[Any] = []
        self.weights: list[Any] = []
        self._rng = np.random.default_rng(seed)
        self._count = 0

    def node(self, kind: str, *inputs: str, outputs: int = 1, **attributes: Any) -> Any:
        self._count += 1
        names = [f"{kind}_{self._count}_{place}" for place in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, **attributes))
        return names[0] if outputs == 1 else names

    def constant(self, values: npt.NDArray[Any]) -> str:
        name = f"weight_{len(self.weights)}"
        self.weights.append(onnx.numpy_helper.from_array(values, name))
        return name

    def random(self, *shape: int) -> str:
        return self.constant(self._rng.standard_normal(shape, dtype=np.float32) * np.float32(0.02))

    def integers(self, *values: int) -> str:
        return self.constant(np.array(values, dtype=np.int64))

    def linear(self, x: str, inputs: int, outputs: int) -> str:
        return str(self.node("Add", self.node("MatMul", x, self.random(inputs, outputs)), self.random(outputs)))

    def norm(self, x: str) -> str:
        scale, shift = np.ones(WIDTH, np.float32), np.zeros(WIDTH, np.float32)
        return str(self.node("LayerNormalization", x, self.constant(scale), self.constant(shift), epsilon=1e-6))

    def gelu(self, x: str) -> str:
        def number(value: float) -> str:
            return self.constant(np.array(value, dtype=np.float32))

        erf = self.node("Erf", self.node("Div", x, number(2**0.5)))
        return str(self.node("Mul", self.node("Mul", x, self.node("Add", erf, number(1.0))), number(0.5)))

    def attention(self, x: str) -> str:
        side = WIDTH // HEADS
        parts = self.node(
            "Split", self.linear(x, WIDTH, 3 * WIDTH), self.integers(WIDTH, WIDTH, WIDTH), outputs=3, axis=2
        )
        heads = [self.node("Reshape", part, self.integers(0, TOKENS, HEADS, side)) for part in parts]
        q = self.node("Transpose", heads[0], perm=[0, 2, 1, 3])
        k = self.node("Transpose", heads[1], perm=[0, 2, 3, 1])
        v = self.node("Transpose", heads[2], perm=[0, 2, 1, 3])
        scale = self.constant(np.array(side**-0.5, dtype=np.float32))
        shares = self.node("Softmax", self.node("Mul", self.node("MatMul", q, k), scale), axis=-1)
        mixed = self.node("Transpose", self.node("MatMul", shares, v), perm=[0, 2, 1, 3])
        return self.linear(self.node("Reshape", mixed, self.integers(0, TOKENS, WIDTH)), WIDTH, WIDTH)


def write_vit(path: Path, *, seed: int = 0, layers: int = LAYERS) -> Path:
    """Write the model, input ``pixel_values`` (B, 3, 224, 224) float32, output ``pooler_output`` (B, 768)."""
    graph = _Graph(seed)
    patches = graph.node(
        "Conv",
        "pixel_values",
        graph.random(WIDTH, 3, PATCH, PATCH),
        kernel_shape=[PATCH, PATCH],
        strides=[PATCH, PATCH],
    )
    patches = graph.node("Reshape", patches, graph.integers(0, WIDTH, TOKENS - 1))
    patches = graph.node("Transpose", patches, perm=[0, 2, 1])
    batch = graph.node("Gather", graph.node("Shape", "pixel_values"), graph.integers(0), axis=0)
    token = graph.node("Expand", graph.random(1, 1, WIDTH), graph.node("Concat", batch, graph.integers(1, 1), axis=0))
    x = graph.node("Add", graph.node("Concat", token, patches, axis=1), graph.random(1, TOKENS, WIDTH))
    for _ in range(layers):
        x = graph.node("Add", x, graph.attention(graph.norm(x)))
        hidden = graph.gelu(graph.linear(graph.norm(x), WIDTH, MLP))
        x = graph.node("Add", x, graph.linear(hidden, MLP, WIDTH))
    first = graph.node("Gather", graph.norm(x), graph.constant(np.array(0, dtype=np.int64)), axis=1)
    graph.nodes.append(helper.make_node("Identity", [first], ["pooler_output"]))
    made = helper.make_graph(
        graph.nodes,
        "vit-b-32",
        [helper.make_tensor_value_info("pixel_values", TensorProto.FLOAT, ["batch", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("pooler_output", TensorProto.FLOAT, ["batch", WIDTH])],
        graph.weights,
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path


def parameters(path: Path) -> int:
    """Return how many weights a model file has, in millions rounded."""
    model = onnx.load(str(path))
    return round(sum(int(np.prod(weight.dims)) for weight in model.graph.initializer) / 1e6)
