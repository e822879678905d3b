"""A network over the picture itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..detect.about import read_about
from ..embed.neural.model_file import digest, find_model
from ..embed.neural.onnx import DEFAULT_SIZE, ImageInput, external_files, open_session, read_input, read_preprocess
from ..embed.neural.preprocess import Preprocess, imagenet
from ..errors import ModelError
from ..types import Image
from .files import class_of, find_file, pick_output, probability, split_class

__all__ = ["Picture", "open_picture"]


class Picture:
    """An ONNX model of one image input; made by ``open_picture``. Pictures are prepared as for an embedder."""

    sees: Literal["image"] = "image"

    def __init__(
        self, session: Any, wanted: ImageInput, preprocess: Preprocess, number: int | None, *, path: Path, digest: str
    ) -> None:
        self.path = path
        self.input_size = preprocess.side
        self._session = session
        self._wanted = wanted
        self._preprocess = preprocess
        self._number = number
        self._output = pick_output(session.get_outputs(), path)
        self.fingerprint = f"image/1/{digest}/{self._output}/{number}/{preprocess!r}"

    def __repr__(self) -> str:
        return f"Picture({str(self.path)!r})"

    def scores(self, given: Sequence[Image]) -> npt.NDArray[np.float64]:
        """Return the probability for each picture, (B,).

        Raises:
            ModelError: the model fails.
        """
        # One by one: a graph may be fixed to that, and few pictures are new at a time.
        return np.array([self._score(image) for image in given], np.float64)

    def _score(self, image: Image) -> float:
        pixels: npt.NDArray[Any] = self._preprocess.pixels(image)[None]
        if self._wanted.dtype is not np.uint8:
            pixels = self._preprocess.normalise(pixels).astype(self._wanted.dtype, copy=False)
        if self._wanted.layout == "nchw":
            pixels = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))
        if self._wanted.batch not in (None, 1):
            pixels = np.repeat(pixels, self._wanted.batch or 1, axis=0)
        try:
            (output,) = self._session.run([self._output], {self._wanted.name: pixels, **self._wanted.fillers})
        except Exception as failure:  # ONNX Runtime raises types of its own for each kind of failure
            raise ModelError(f"the classifier {self.path} failed: {str(failure).splitlines()[0]}") from failure
        return float(probability(output, self._number, self.path)[0])


def open_picture(text: str, *, folder: Path | None = None, device: str = "auto") -> Picture:
    """Open ``image:FILE``, an ONNX file or a folder with one.

    ``preprocessor_config.json`` and the names of the classes, in ``config.json``, are read from beside it.

    Raises:
        NoSuchFile: no such file. ModelError: not an ONNX model of pictures. UnknownName: no such class.
    """
    name, wanted = split_class(text)
    path = find_file(name, "image", folder)
    model = find_model(str(path), scheme="image", suffix=".onnx")
    session = open_session(model.weights, device=device)
    given = read_input(session, f"image:{path}")
    config = model.beside_path("preprocessor_config.json")
    sides = given.size[0] or DEFAULT_SIZE, given.size[1] or DEFAULT_SIZE
    preprocess = imagenet(sides) if config is None else read_preprocess(config, model.weights, given)
    return Picture(
        session,
        given,
        preprocess,
        class_of(wanted, read_about(model.weights).labels, path),
        path=path,
        digest=digest([model.weights, *external_files(model.weights)]),
    )
