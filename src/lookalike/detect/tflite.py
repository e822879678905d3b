"""A segmentation network in a TensorFlow Lite file, on LiteRT (extra ``tflite``)."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from ..errors import BadInput, ModelError, NoSuchFile
from ..types import Image
from .about import read_about
from .masks import Mask, read_mask
from .segmentation import Segmentation, as_input, split_ground

__all__ = ["open_tflite"]


def open_tflite(path: str) -> Segmentation:
    """Open the segmentation network in a .tflite file; ``PATH?ground=white`` makes what is around a thing white.

    The picture is stretched to the input. A uint8 input gets the raw pixels, a float32 one [-1, 1], as DeepLab's
    authors have it.

    Raises:
        BadInput: the path is empty, or another option. NoSuchFile: no such file.
        ModelError: no TensorFlow Lite file, not one of a single picture, or of an output that is no segmentation.
    """
    path, white = split_ground(path)
    if not path:
        raise BadInput("tflite: needs a path.", hint="Write tflite:PATH, the .tflite file of a segmentation.")
    file = Path(path).expanduser().absolute()
    if not file.is_file():
        raise NoSuchFile(f"no such model file: {file}", hint="tflite: takes the .tflite file of a segmentation.")
    data = file.read_bytes()
    try:
        interpreter = Interpreter(model_content=data, num_threads=1)  # it runs in the decoding threads
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as broken:
        reason = (str(broken).strip() or "it cannot be read").splitlines()[0]
        raise ModelError(f"{file} is not a usable TensorFlow Lite file: {reason}.") from broken
    digest = hashlib.sha256(data).hexdigest()
    network = _Network(interpreter, file)
    return Segmentation(
        spec=f"tflite:{file}",
        name=f"{file.stem}@{digest[:8]}",
        fingerprint=f"tflite/{digest}",
        mask_of=network.mask,
        labels=read_about(file).labels,
        white=white,
    )


class _Network:
    def __init__(self, interpreter: Any, file: Path) -> None:
        self._interpreter = interpreter
        self._file = file
        self._turn = threading.Lock()  # an interpreter holds one set of tensors
        inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
        shape = [int(side) for side in inputs[0]["shape"]] if len(inputs) == 1 else []
        if len(shape) != 4 or shape[0] != 1 or shape[3] != 3 or inputs[0]["dtype"] not in (np.uint8, np.float32):
            seen = ", ".join(f"{i['name']} {np.dtype(i['dtype'])} {list(map(int, i['shape']))}" for i in inputs)
            raise ModelError(f"the segmentation {file} should take uint8 or float32 [1, H, W, 3]; it takes {seen}.")
        if len(outputs) != 1 or len(outputs[0]["shape"]) not in (3, 4):
            seen = ", ".join(f"{i['name']} {list(map(int, i['shape']))}" for i in outputs)
            raise ModelError(
                f"the outputs of {file} are no segmentation: {seen}.",
                hint="Known: [1, H, W] of classes, or [1, H, W, C] of their scores. For boxes write onnx:PATH.",
            )
        self._input, self._output = inputs[0], outputs[0]
        self._height, self._width = shape[1:3]

    def mask(self, image: Image) -> Mask:
        pixels = as_input(image, self._width, self._height)[None]
        feed = pixels if self._input["dtype"] is np.uint8 else pixels.astype(np.float32) / np.float32(127.5) - 1
        with self._turn:
            self._interpreter.set_tensor(self._input["index"], feed)
            try:
                self._interpreter.invoke()
            except (RuntimeError, ValueError) as failed:
                raise ModelError(f"{self._file} failed: {failed}") from failed
            output = np.array(self._interpreter.get_tensor(self._output["index"]))
        scale, zero = self._output["quantization"]
        if output.ndim == 4 and output.dtype.kind in "iu" and scale:
            output = (output.astype(np.float32) - zero) * scale
        return read_mask(output, channels_last=True)
