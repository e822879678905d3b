"""A small model over the vectors that a collection has anyway: no picture is read again."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..errors import ModelError
from ..types import Vectors
from .files import class_of, find_file, pick_output, probability, split_class

__all__ = ["LogisticHead", "OnnxHead", "open_head"]


class LogisticHead:
    """A logistic regression: 1 / (1 + exp(-(v · w + b))).

    Args:
        weights: (D,). bias: b. path: of the file that they are from. digest: of its bytes.
    """

    sees: Literal["vector"] = "vector"
    input_size = 0

    def __init__(self, weights: npt.NDArray[np.float64], bias: float, *, path: Path, digest: str) -> None:
        self.weights = weights
        self.bias = bias
        self.path = path
        self.fingerprint = f"head/1/{digest}"

    def __repr__(self) -> str:
        return f"LogisticHead({str(self.path)!r}, dim={len(self.weights)})"

    def scores(self, given: Vectors) -> npt.NDArray[np.float64]:
        """Return the probability for each vector, (B, D) to (B,).

        Raises:
            ModelError: the vectors have another dimension.
        """
        vectors = np.asarray(given, np.float64)
        if vectors.shape[1] != len(self.weights):
            raise ModelError(
                f"the head {self.path} takes vectors of {len(self.weights)} numbers; these have {vectors.shape[1]}.",
                hint="It was trained on the vectors of another model.",
            )
        with np.errstate(over="ignore"):
            found: npt.NDArray[np.float64] = 1 / (1 + np.exp(-(vectors @ self.weights + self.bias)))
        return found


class OnnxHead:
    """An ONNX model that takes (B, D) float32; made by ``open_head``."""

    sees: Literal["vector"] = "vector"
    input_size = 0

    def __init__(self, session: Any, number: int | None, *, path: Path, digest: str) -> None:
        self.path = path
        self.fingerprint = f"head/1/{digest}/{number}"
        self._session = session
        self._number = number
        self._input = session.get_inputs()[0].name
        self._output = pick_output(session.get_outputs(), path)

    def __repr__(self) -> str:
        return f"OnnxHead({str(self.path)!r})"

    def scores(self, given: Vectors) -> npt.NDArray[np.float64]:
        """Return the probability for each vector, (B, D) to (B,).

        Raises:
            ModelError: the model fails, as it does on vectors of another dimension.
        """
        try:
            (output,) = self._session.run([self._output], {self._input: np.asarray(given, np.float32)})
        except Exception as failure:  # ONNX Runtime raises types of its own for each kind of failure
            raise ModelError(
                f"the head {self.path} fails on vectors of {given.shape[1]} numbers: {str(failure).splitlines()[0]}",
                hint="It may have been trained on the vectors of another model.",
            ) from failure
        return probability(output, self._number, self.path)


def open_head(text: str, *, folder: Path | None = None, device: str = "auto") -> LogisticHead | OnnxHead:
    """Open ``head:FILE``: an ONNX model, or ``.npz`` with ``coef`` (D,) and ``intercept``, as scikit-learn calls them.

    Raises:
        NoSuchFile: no such file. ModelError: it is neither.
    """
    name, wanted = split_class(text)
    path = find_file(name, "head", folder)
    data = path.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    if path.suffix == ".npz":
        return _logistic(path, digest)
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1  # a few vectors at a time, in threads of the server's own
    try:
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as failure:
        raise ModelError(f"{path} is no ONNX model that can be run: {str(failure).splitlines()[0]}") from failure
    inputs = session.get_inputs()
    if len(inputs) != 1 or len(inputs[0].shape) != 2 or inputs[0].type != "tensor(float)":
        seen = ", ".join(f"{each.name} {each.type} {each.shape}" for each in inputs)
        raise ModelError(f"the head {path} should take vectors, (B, D) float32; it takes {seen}.")
    return OnnxHead(session, class_of(wanted, {}, path), path=path, digest=digest)


def _logistic(path: Path, digest: str) -> LogisticHead:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            weights = np.asarray(arrays["coef"], np.float64).reshape(-1)
            (bias,) = np.asarray(arrays["intercept"], np.float64).reshape(-1).tolist()
    except (OSError, ValueError, KeyError) as broken:
        raise ModelError(
            f"the head {path} cannot be read: {broken}.", hint="It should hold the arrays coef, (D,), and intercept."
        ) from broken
    if not np.isfinite(weights).all() or not np.isfinite(bias):
        raise ModelError(f"the head {path} holds numbers that are not finite.")
    return LogisticHead(weights, bias, path=path, digest=digest)
