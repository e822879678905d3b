"""Tiny ONNX models that give known arrays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

__all__ = ["model"]


def model(path: Path, outputs: dict[str, Any], *, shape: tuple[Any, ...] = (1, 3, 64, 64), uint8: bool = False) -> Path:
    """Write a model that gives these arrays whatever it sees."""
    kind = TensorProto.UINT8 if uint8 else TensorProto.FLOAT
    given = helper.make_tensor_value_info("image", kind, shape)
    values = {name: np.asarray(value) for name, value in outputs.items()}
    nodes = [
        helper.make_node("Constant", [], [name], value=numpy_helper.from_array(value)) for name, value in values.items()
    ]
    infos = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)
        for name, value in values.items()
    ]
    graph = helper.make_graph(nodes, "tiny", [given], infos)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path
