"""Any ONNX detector of a usual output layout, on ONNX Runtime."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import BadInput, LookalikeError, ModelError, NoSuchFile
from ..types import Image, Region
from .box import rescaled
from .layouts import layout_of, read_boxes, read_yolo
from .overlap import strongest

__all__ = ["OnnxDetector", "open_onnx"]

SIZE = 640  # of a network whose graph leaves the size open
LEAST_SCORE = 0.25
OVERLAP = 0.45  # over the union; both numbers are those that YOLO's authors publish
MOST = 100  # boxes
GROUND = 114  # grey around a letter-boxed picture, as YOLO is trained


class OnnxDetector:
    """A detector in an ONNX file; made by ``open_onnx``; thread-safe.

    Pixels are RGB from 0 to 255 for a network that takes uint8, else from 0 to 1. For ``yolo`` layouts the picture is
    letter-boxed, for the others stretched to the input's size.

    Attributes:
        layout: ``yolo`` or ``boxes``.
    """

    def __init__(self, session: Any, path: Path, digest: str) -> None:
        self.spec = f"onnx:{path}"
        self.name = f"{path.stem}@{digest[:8]}"
        self.fingerprint = f"onnx-detector/1/{digest}/{LEAST_SCORE},{OVERLAP}"
        self._session = session
        (given,) = session.get_inputs()
        self._input = given.name
        self._type = np.uint8 if given.type == "tensor(uint8)" else np.float32
        self._nhwc = given.shape[-1] == 3
        sides = given.shape[1:3] if self._nhwc else given.shape[2:4]
        self._height, self._width = (side if isinstance(side, int) else SIZE for side in sides)
        outputs = session.get_outputs()
        self._outputs = [output.name for output in outputs]
        self.layout = layout_of(self._outputs, [len(output.shape) for output in outputs])

    def __repr__(self) -> str:
        return f"OnnxDetector({self.spec!r}, layout={self.layout!r}, input={self._width}x{self._height})"

    def detect(self, image: Image) -> Sequence[Region]:
        """Return the boxes with a score of at least 0.25, best first, doubles left out; the label is the class.

        Raises:
            ModelError: the network fails, or gives arrays of an unexpected shape.
        """
        pixels, used = self._fitted(image)
        try:
            arrays = self._session.run(self._outputs, {self._input: pixels})
        except Exception as failure:  # ONNX Runtime raises types of its own for each kind of failure
            raise ModelError(f"{self.spec} failed: {str(failure).splitlines()[0]}") from failure
        if self.layout == "yolo":
            found = read_yolo(arrays[0], self._width, self._height)
        else:
            found = read_boxes(dict(zip(self._outputs, arrays, strict=True)), self._width, self._height)
        good = np.isfinite(found.boxes).all(axis=1) & (found.scores >= LEAST_SCORE)
        # Back to fractions of the picture, from those of the input that it fills in part.
        boxes, scores, classes = found.boxes[good] / [*used, *used], found.scores[good], found.classes[good]
        kept = strongest(boxes, scores, most_overlap=OVERLAP, groups=classes, limit=MOST)
        height, width = image.shape[:2]
        return [rescaled(tuple(boxes[i]), width, height, float(scores[i]), str(classes[i])) for i in kept]

    def _fitted(self, image: Image) -> tuple[npt.NDArray[Any], tuple[float, float]]:
        """Return the network's input and the shares of its width and height that the picture fills."""
        from PIL import Image as Pillow

        height, width = image.shape[:2]
        size = (self._width, self._height)
        if self.layout == "yolo":
            factor = min(self._width / width, self._height / height)
            size = max(1, round(width * factor)), max(1, round(height * factor))
        picture = Pillow.fromarray(np.ascontiguousarray(image)).resize(size, Pillow.Resampling.BILINEAR)
        canvas = np.full((self._height, self._width, 3), GROUND, np.uint8)
        canvas[: size[1], : size[0]] = np.asarray(picture)
        pixels = canvas if self._type is np.uint8 else canvas.astype(np.float32) / np.float32(255)
        pixels = pixels if self._nhwc else pixels.transpose(2, 0, 1)
        return np.ascontiguousarray(pixels[None]), (size[0] / self._width, size[1] / self._height)


def open_onnx(path: str) -> OnnxDetector:
    """Open the detector in an ONNX file.

    Raises:
        BadInput: the path is empty. NoSuchFile: no such file.
        ModelError: no ONNX file, more than one input, or outputs of no known layout.
    """
    if not path:
        raise BadInput("onnx: needs a path.", hint="Write onnx:PATH, with the path of a detector's .onnx file.")
    file = Path(path).expanduser().absolute()
    if not file.is_file():
        raise NoSuchFile(f"no such model file: {file}", hint="onnx: takes the .onnx file of a detector.")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1  # it runs in the decoding threads, of which there is one a core
    try:
        session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    except Exception as failure:
        raise ModelError(f"{file} is no ONNX model that can be run: {str(failure).splitlines()[0]}") from failure
    inputs = session.get_inputs()
    if len(inputs) != 1 or len(inputs[0].shape) != 4 or inputs[0].type not in ("tensor(float)", "tensor(uint8)"):
        seen = ", ".join(f"{each.name} {each.type} {each.shape}" for each in inputs)
        raise ModelError(f"the detector {file} should take one picture of 4 axes in float32 or uint8; it takes {seen}.")
    with file.open("rb") as data:
        digest = hashlib.file_digest(data, "sha256").hexdigest()
    try:
        return OnnxDetector(session, file, digest)
    except LookalikeError as wrong:
        wrong.message = f"the detector {file}: {wrong.message}"
        raise
