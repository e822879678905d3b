"""Embeds with a TensorFlow Lite model, on LiteRT (extra ``tflite``)."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from ai_edge_litert.interpreter import Interpreter

from ...errors import BadInput, ModelError
from ...types import Image, Vectors, VectorSpace
from ..unit import unit
from .model_file import digest, find_model
from .preprocess import Preprocess
from .tflite_file import before_classifier

__all__ = ["TfliteEmbedder", "open_tflite"]

Layer = Literal["auto", "output"]


class TfliteEmbedder:
    """A network in a TensorFlow Lite file; made by ``open_tflite``.

    Attributes:
        spec: ``tflite:`` and the absolute path that was opened; ``create(spec)`` makes the same embedder again.
        space: float rows of unit norm; named after the file and the first digits of its hash.
        input_size: pixels of the longer side of the network's input.
    """

    def __init__(self, interpreter: Any, given: Path, name: str, weights_hash: str, layer: Layer) -> None:
        self.spec = f"tflite:{given}"
        self._interpreter = interpreter
        self._turn = threading.Lock()  # an interpreter holds one set of tensors
        self._input = _read_input(interpreter, self.spec)
        self._output = interpreter.get_output_details()[0]
        _, height, width, _ = (int(side) for side in self._input["shape"])
        scale, shift = (1.0, 0.0) if self._input["dtype"] is np.uint8 else (1 / 127.5, 1.0)
        self.preprocess = Preprocess((height, width), None, None, scale=scale, mean=(shift,) * 3, std=(1.0,) * 3)
        self.input_size = max(height, width)
        self.fingerprint = f"tflite/{weights_hash}/{layer}/{self.preprocess!r}"
        grey = self._forward(self.prepare(np.full((1, 1, 3), 128, np.uint8)))
        self.space = VectorSpace(f"tflite:{name}@{weights_hash[:8]}", len(grey), self.fingerprint)

    def __repr__(self) -> str:
        return f"TfliteEmbedder({self.spec!r}, dim={self.space.dim})"

    def prepare(self, image: Image) -> npt.NDArray[np.uint8]:
        """Return the image resized to the network's input, (height, width, 3) uint8."""
        return self.preprocess.pixels(image)

    def embed_prepared(self, prepared: Sequence[npt.NDArray[Any]]) -> Vectors:
        """Return (B, D) unit rows of prepared images.

        Raises:
            ModelError: the network fails, or gives NaN or infinity.
        """
        if not prepared:
            return np.zeros((0, self.space.dim), np.float32)
        with self._turn:
            rows = np.stack([self._forward(pixels) for pixels in prepared])
        return unit(rows, source=self.spec)

    def embed(self, images: Sequence[Image]) -> Vectors:
        """Return (B, D) unit rows."""
        return self.embed_prepared([self.prepare(image) for image in images])

    def _forward(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return (D,) of one prepared image, not normalised. The files at hand all have a fixed batch of one."""
        feed = _quantise(self.preprocess.normalise(pixels[None]), pixels[None], self._input)
        self._interpreter.set_tensor(self._input["index"], feed)
        try:
            self._interpreter.invoke()
        except (RuntimeError, ValueError) as failed:
            raise ModelError(f"{self.spec} failed: {failed}") from failed
        output = _dequantise(self._interpreter.get_tensor(self._output["index"]), self._output)
        if output.ndim not in (2, 4) or len(output) != 1:
            raise ModelError(f"{self.spec} gave an output of shape {output.shape}; (1, D) or (1, H, W, D) is needed.")
        return output[0] if output.ndim == 2 else np.asarray(output[0].mean(axis=(0, 1)), np.float32)


def open_tflite(path: str, *, threads: int | None = None, layer: Layer = "auto") -> TfliteEmbedder:
    """Open a .tflite file of one image input.

    Preprocessing: the image is resized to the input, whatever its shape, bilinear, RGB. A uint8 input gets the raw
    pixels; float32 gets [-1, 1], as MobileNet was trained; int8 gets the same through its quantisation parameters.

    Args:
        path: the file, or a folder with ``model.tflite`` in it.
        threads: threads of one run; None leaves it to LiteRT.
        layer: ``auto`` takes what the classifier reads when the model ends in one of 1000 or 1001 classes;
            ``output`` takes the model's own output always.

    Raises:
        NoSuchFile: no such file or folder.
        BadInput: threads under 1, or an unknown layer.
        ModelError: not a TensorFlow Lite model, or not one of a single image.
    """
    if threads is not None and threads < 1:
        raise BadInput(f"threads should be at least 1, got {threads}")
    if layer not in ("auto", "output"):
        raise BadInput(f"layer should be 'auto' or 'output', got {layer!r}")
    model = find_model(path, scheme="tflite", suffix=".tflite")
    data = model.weights.read_bytes()
    try:
        patched = before_classifier(data)
        interpreter = Interpreter(model_content=patched if layer == "auto" else data, num_threads=threads)
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as broken:
        reason = (str(broken).strip() or "it cannot be read").splitlines()[0]
        raise ModelError(f"{model.weights} is not a usable TensorFlow Lite file: {reason}.") from broken
    return TfliteEmbedder(interpreter, model.given, model.name, digest([model.weights]), layer)


def _read_input(interpreter: Any, spec: str) -> Any:
    inputs = interpreter.get_input_details()
    shape = [int(side) for side in inputs[0]["shape"]] if len(inputs) == 1 else []
    if len(shape) != 4 or shape[0] != 1 or shape[3] != 3:
        seen = ", ".join(f"{i['name']} {list(map(int, i['shape']))}" for i in inputs) or "none"
        raise ModelError(f"{spec} should have one input of shape [1, H, W, 3]; it has: {seen}.")
    if inputs[0]["dtype"] not in (np.uint8, np.int8, np.float32):
        raise ModelError(f"{spec}: the input is {np.dtype(inputs[0]['dtype'])}; uint8, int8 or float32 is needed.")
    return inputs[0]


def _quantise(values: npt.NDArray[np.float32], pixels: npt.NDArray[np.uint8], tensor: Any) -> npt.NDArray[Any]:
    """Return what the input tensor takes: the pixels themselves, the values, or the values as int8."""
    if tensor["dtype"] is np.uint8:
        return pixels
    if tensor["dtype"] is np.float32:
        return values
    scale, zero = tensor["quantization"]
    return np.asarray(np.clip(np.rint(values / (scale or 1.0) + zero), -128, 127), np.int8)


def _dequantise(values: npt.NDArray[Any], tensor: Any) -> npt.NDArray[np.float32]:
    scale, zero = tensor["quantization"]
    if values.dtype.kind == "f" or not scale:
        return values.astype(np.float32)
    return np.asarray((values.astype(np.float32) - zero) * scale, np.float32)
