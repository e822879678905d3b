"""A trained MobileNet as an ONNX file in float32, from the weights of a .tflite file: real weights to quantise.

v1: Howard et al., MobileNets, 2017, table 1: a 3x3 convolution, then 13 pairs of a depthwise 3x3 and a 1x1 convolution,
ReLU6 after each. v2: Sandler et al., MobileNetV2, 2018, table 2: no ReLU6 after the 1x1 convolutions that narrow, and
their sums. Batch normalisation is folded in as the file has it; the output is the mean of the last map. The padding is
TensorFlow's SAME: what is odd goes to the right and the bottom. Weights that the file keeps in 8 bits are taken at the
values that these stand for.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper

__all__ = ["write_mobilenet"]

LIKE = 0.99  # least cosine to what the file itself gives in 8 bits; a wrong layer leaves far less
Floats = npt.NDArray[np.float32]


def write_mobilenet(folder: Path, weights: Path, *, products: bool = False) -> Path:
    """Write ``model.onnx`` and its preprocessing into ``folder``, and return the folder.

    Args:
        folder: is made.
        weights: a MobileNet v1 or v2 as .tflite, in float32 or 8 bits.
        products: write the 1x1 convolutions as products of matrices, which they are: the same network in the layout of
            those that int8-dynamic is for.

    Raises:
        SystemExit: the file gives other features than the .tflite does.
    """
    reader, operations = _read(weights)
    about = {int(each["index"]): each for each in reader.get_tensor_details()}
    nodes: list[Any] = []
    held: list[Any] = []
    names = {int(reader.get_input_details()[0]["index"]): "pixel_values"}
    side = int(reader.get_input_details()[0]["shape"][1])
    features = -1
    for operation in operations:
        inputs, output = [int(each) for each in operation["inputs"]], int(operation["outputs"][0])
        if operation["op_name"] in ("AVERAGE_POOL_2D", "MEAN"):
            nodes.append(helper.make_node("GlobalAveragePool", [names[inputs[0]]], ["pooled"]))
            nodes.append(helper.make_node("Flatten", ["pooled"], ["pooler_output"]))
            features = output
            break
        if operation["op_name"] == "QUANTIZE":
            names[output] = names[inputs[0]]
            continue
        names[output] = f"map_{output}"
        if operation["op_name"] == "ADD":
            nodes.append(helper.make_node("Add", [names[each] for each in inputs], [names[output]], f"add_{output}"))
            continue
        kernel, bias = (_values(reader, about[index]) for index in inputs[1:3])
        depthwise = operation["op_name"] == "DEPTHWISE_CONV_2D"
        shape = [int(about[index]["shape"][1]) for index in (inputs[0], output)]
        if products and kernel.shape[1:3] == (1, 1):
            _product(nodes, held, names[inputs[0]], f"{names[output]}_sum", kernel[:, 0, 0, :].T, bias)
        else:
            turned = kernel.transpose(3, 0, 1, 2) if depthwise else kernel.transpose(0, 3, 1, 2)
            _convolution(nodes, held, names[inputs[0]], f"{names[output]}_sum", turned, bias, shape, depthwise)
        if _is_rectified(about[output]):
            _relu6(nodes, held, f"{names[output]}_sum", names[output])
        else:
            names[output] += "_sum"
    graph = helper.make_graph(
        nodes,
        "mobilenet",
        [helper.make_tensor_value_info("pixel_values", TensorProto.FLOAT, ["batch", 3, side, side])],
        [helper.make_tensor_value_info("pooler_output", TensorProto.FLOAT, ["batch", "features"])],
        held,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(model, str(folder / "model.onnx"))
    half = [0.5, 0.5, 0.5]
    config = {"size": {"height": side, "width": side}, "image_mean": half, "image_std": half}
    (folder / "preprocessor_config.json").write_text(json.dumps(config), encoding="utf-8")
    _compare(folder / "model.onnx", reader, features)
    return folder


def _read(weights: Path) -> tuple[Any, list[dict[str, Any]]]:
    from ai_edge_litert.interpreter import Interpreter

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that keeping all tensors is for debugging
        reader = Interpreter(str(weights), experimental_preserve_all_tensors=True, num_threads=1)
    reader.allocate_tensors()
    given = reader.get_input_details()[0]
    noise = _noise(int(given["shape"][1]))
    if given["dtype"] is np.uint8:
        scale, zero = given["quantization"]
        noise = np.clip(np.round(noise / scale + zero), 0, 255).astype(np.uint8)
    reader.set_tensor(given["index"], noise)
    reader.invoke()
    operations = [each for each in reader._get_ops_details() if each["op_name"] != "DELEGATE"]
    return reader, operations


def _values(reader: Any, about: dict[str, Any]) -> Floats:
    """Return the float32 that a tensor of weights stands for."""
    raw = np.asarray(reader.get_tensor(about["index"])).astype(np.float32)
    scales, zeros = (about["quantization_parameters"][name] for name in ("scales", "zero_points"))
    if not len(scales):
        return raw
    along = [1] * raw.ndim
    along[about["quantization_parameters"]["quantized_dimension"] if len(scales) > 1 else 0] = len(scales)
    return np.asarray((raw - zeros.reshape(along)) * scales.reshape(along), np.float32)


def _is_rectified(about: dict[str, Any]) -> bool:
    """Return whether ReLU6 comes behind a layer, which a file in 8 bits tells by the least value that it can hold."""
    scale, zero = about["quantization"]
    return not scale or zero == np.iinfo(about["dtype"]).min


def _convolution(
    nodes: list[Any], held: list[Any], x: str, y: str, kernel: Floats, bias: Floats, sides: list[int], depthwise: bool
) -> None:
    size, (before, after) = kernel.shape[2], sides
    stride = before // after
    missing = max((after - 1) * stride + size - before, 0)
    held += [onnx.numpy_helper.from_array(np.ascontiguousarray(kernel), f"{y}_kernel")]
    held += [onnx.numpy_helper.from_array(bias, f"{y}_bias")]
    attributes = {
        "kernel_shape": [size, size],
        "strides": [stride, stride],
        "pads": [missing // 2, missing // 2, missing - missing // 2, missing - missing // 2],
        "group": kernel.shape[0] if depthwise else 1,
    }
    nodes.append(helper.make_node("Conv", [x, f"{y}_kernel", f"{y}_bias"], [y], f"{y}_conv", **attributes))


def _product(nodes: list[Any], held: list[Any], x: str, y: str, matrix: Floats, bias: Floats) -> None:
    held += [onnx.numpy_helper.from_array(np.ascontiguousarray(matrix), f"{y}_kernel")]
    held += [onnx.numpy_helper.from_array(bias, f"{y}_bias")]
    nodes.append(helper.make_node("Transpose", [x], [f"{y}_last"], f"{y}_to", perm=[0, 2, 3, 1]))
    nodes.append(helper.make_node("MatMul", [f"{y}_last", f"{y}_kernel"], [f"{y}_product"], f"{y}_matmul"))
    nodes.append(helper.make_node("Add", [f"{y}_product", f"{y}_bias"], [f"{y}_last_sum"], f"{y}_add"))
    nodes.append(helper.make_node("Transpose", [f"{y}_last_sum"], [y], f"{y}_fro", perm=[0, 3, 1, 2]))


def _relu6(nodes: list[Any], held: list[Any], x: str, y: str) -> None:
    if not held or all(each.name != "six" for each in held):
        held += [onnx.numpy_helper.from_array(np.array(value, np.float32), name) for name, value in _LIMITS.items()]
    nodes.append(helper.make_node("Clip", [x, "zero", "six"], [y], f"{y}_clip"))


_LIMITS = {"zero": 0.0, "six": 6.0}


def _noise(side: int) -> Floats:
    return np.random.default_rng(0).uniform(-1, 1, (1, side, side, 3)).astype(np.float32)


def _compare(path: Path, reader: Any, features: int) -> None:
    import onnxruntime

    given = reader.get_input_details()[0]
    noise = _noise(int(given["shape"][1]))
    theirs = np.asarray(reader.get_tensor(features)).ravel()
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (ours,) = session.run(None, {"pixel_values": noise.transpose(0, 3, 1, 2)})
    if theirs.dtype == np.float32:
        worst = float(np.abs(ours.ravel() - theirs).max())
        if worst > 1e-3:
            raise SystemExit(f"the ONNX file gives other features than the .tflite: they differ by up to {worst:.3g}")
        return
    about = next(each for each in reader.get_tensor_details() if each["index"] == features)
    scale, zero = about["quantization"]
    whole = (theirs.astype(np.float32) - zero) * scale
    cosine = float(ours.ravel() @ whole / np.linalg.norm(ours) / np.linalg.norm(whole))
    if cosine < LIKE:
        raise SystemExit(f"the ONNX file gives other features than the .tflite: their cosine is {cosine:.3f}")
