"""Any ONNX detector or segmentation of a usual output layout, on ONNX Runtime."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import BadInput, LookalikeError, ModelError, NoSuchFile
from ..types import Image, Region
from .about import IMAGENET, About, read_about
from .box import rescaled
from .layouts import layout_of, read_boxes, read_yolo, read_yunet
from .masks import Mask, read_mask
from .overlap import strongest
from .segmentation import Segmentation, split_ground

__all__ = ["OnnxDetector", "open_onnx"]

SIZE = 640  # of a network whose graph leaves the size open
LEAST_SCORE = 0.25
OVERLAP = 0.45  # over the union; both numbers are those that YOLO's authors publish
LEAST_FACE, FACE_OVERLAP = 0.6, 0.3  # those of OpenCV's example of YuNet and its documentation
MOST = 100  # boxes
GROUND = 114  # grey around a letter-boxed picture, as YOLO is trained


class OnnxDetector:
    """A detector in an ONNX file; made by ``open_onnx``; thread-safe.

    Pixels are RGB from 0 to 255 for a network that takes uint8, else from 0 to 1; BGR from 0 to 255 for YuNet. What
    ``preprocessor_config.json`` beside the file says of mean and standard deviation is applied; a segmentation without
    it gets those of ImageNet, as most are trained. For ``yolo`` and ``yunet`` layouts the picture is letter-boxed, for
    the others stretched to the input's size.

    Attributes:
        layout: ``yolo``, ``boxes``, ``yunet`` or ``mask``.
    """

    def __init__(self, session: Any, path: Path, digest: str, about: About | None = None) -> None:
        self.spec = f"onnx:{path}"
        self.name = f"{path.stem}@{digest[:8]}"
        self._session = session
        (given,) = session.get_inputs()
        self._input = given.name
        self._type = np.uint8 if given.type == "tensor(uint8)" else np.float32
        self._nhwc = given.shape[-1] == 3
        sides = given.shape[1:3] if self._nhwc else given.shape[2:4]
        self._height, self._width = (side if isinstance(side, int) else SIZE for side in sides)
        outputs = session.get_outputs()
        self._outputs = [output.name for output in outputs]
        self.layout = layout_of(
            self._outputs,
            [len(output.shape) for output in outputs],
            [output.type in ("tensor(int64)", "tensor(int32)", "tensor(uint8)") for output in outputs],
        )
        self.about = about or About(None, None, {})
        self._mean, self._std = self.about.mean, self.about.std
        if self.layout == "mask" and self._mean is None:
            self._mean, self._std = IMAGENET
        faces = self.layout == "yunet"
        self._least, self._overlap = (LEAST_FACE, FACE_OVERLAP) if faces else (LEAST_SCORE, OVERLAP)
        looks = f"/{self._mean},{self._std}" if self._mean else ""
        self.fingerprint = f"onnx-detector/1/{digest}/{self._least},{self._overlap}{looks}"

    def __repr__(self) -> str:
        return f"OnnxDetector({self.spec!r}, layout={self.layout!r}, input={self._width}x{self._height})"

    def detect(self, image: Image) -> Sequence[Region]:
        """Return the boxes with a score of at least 0.25 (faces: 0.6), best first, doubles left out.

        The label is the class's name where ``config.json`` beside the file has it, else its number.

        Raises:
            ModelError: the network fails, or gives arrays of an unexpected shape.
        """
        pixels, used = self._fitted(image)
        arrays = self._run(pixels)
        if self.layout == "yolo":
            found = read_yolo(next(iter(arrays.values())), self._width, self._height)
        else:
            read = read_yunet if self.layout == "yunet" else read_boxes
            found = read(arrays, self._width, self._height)
        good = np.isfinite(found.boxes).all(axis=1) & (found.scores >= self._least)
        # Back to fractions of the picture, from those of the input that it fills in part.
        boxes, scores, classes = found.boxes[good] / [*used, *used], found.scores[good], found.classes[good]
        kept = strongest(boxes, scores, most_overlap=self._overlap, groups=classes, limit=MOST)
        height, width = image.shape[:2]
        return [rescaled(tuple(boxes[i]), width, height, float(scores[i]), self._label(int(classes[i]))) for i in kept]

    def mask(self, image: Image) -> Mask:
        """Return the classes of the pixels, of a network of layout ``mask``.

        Raises:
            ModelError: the network fails, or gives arrays of an unexpected shape.
        """
        arrays = list(self._run(self._fitted(image)[0]).values())
        # Of several outputs (the auxiliary ones of training) the first map is the one that counts.
        output = next((array for array in arrays if array.ndim == 4), arrays[0])
        return read_mask(output, channels_last=self._nhwc)

    def _label(self, number: int) -> str:
        return "face" if self.layout == "yunet" else self.about.labels.get(number, str(number))

    def _run(self, pixels: npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
        try:
            arrays = self._session.run(self._outputs, {self._input: pixels})
        except Exception as failure:  # ONNX Runtime raises types of its own for each kind of failure
            raise ModelError(f"{self.spec} failed: {str(failure).splitlines()[0]}") from failure
        return dict(zip(self._outputs, arrays, strict=True))

    def _fitted(self, image: Image) -> tuple[npt.NDArray[Any], tuple[float, float]]:
        """Return the network's input and the shares of its width and height that the picture fills."""
        from PIL import Image as Pillow

        height, width = image.shape[:2]
        size = (self._width, self._height)
        if self.layout in ("yolo", "yunet"):
            factor = min(self._width / width, self._height / height)
            size = max(1, round(width * factor)), max(1, round(height * factor))
        picture = Pillow.fromarray(np.ascontiguousarray(image)).resize(size, Pillow.Resampling.BILINEAR)
        canvas = np.full((self._height, self._width, 3), 0 if self.layout == "yunet" else GROUND, np.uint8)
        canvas[: size[1], : size[0]] = np.asarray(picture)
        pixels: npt.NDArray[Any] = canvas
        if self.layout == "yunet":
            pixels = canvas[..., ::-1].astype(np.float32)
        elif self._type is not np.uint8:
            pixels = canvas.astype(np.float32) / np.float32(255)
            if self._mean is not None and self._std is not None:
                pixels = (pixels - np.asarray(self._mean, np.float32)) / np.asarray(self._std, np.float32)
        pixels = pixels if self._nhwc else pixels.transpose(2, 0, 1)
        return np.ascontiguousarray(pixels[None]), (size[0] / self._width, size[1] / self._height)


def open_onnx(path: str) -> OnnxDetector | Segmentation:
    """Open the detector or segmentation in an ONNX file; ``PATH?ground=white`` is for a segmentation.

    Raises:
        BadInput: the path is empty, or an option that the network does not have. NoSuchFile: no such file.
        ModelError: no ONNX file, more than one input, or outputs of no known layout.
    """
    path, white = split_ground(path)
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
        network = OnnxDetector(session, file, digest, read_about(file))
        if white and network.layout != "mask":
            raise BadInput("a detector of boxes cannot make the ground white.", hint="Only a segmentation can.")
    except LookalikeError as wrong:
        wrong.message = f"the detector {file}: {wrong.message}"
        raise
    if network.layout != "mask":
        return network
    return Segmentation(
        spec=network.spec,
        name=network.name,
        fingerprint=network.fingerprint,
        mask_of=network.mask,
        labels=network.about.labels,
        white=white,
    )
