"""Parts of a vector that a small network gives, beside the descriptors by formula."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import ModelError
from .canvas import SIDE, Views

__all__ = ["Network", "NetworkPart", "network_input"]


def network_input(views: Views) -> npt.NDArray[np.float32]:
    """Return (B, 3, SIDE, SIDE) in [-2, 2], what the network reads of pictures: their content, framed."""
    made = np.ascontiguousarray(views.framed(SIDE).transpose(0, 3, 1, 2))
    made *= 4 / 255
    made -= 2
    return made


class Network:
    """An ONNX file that reads ``network_input`` and gives a row for each picture; opened when it is first needed.

    It runs on the thread that calls it: the pictures are shared out to the cores before.

    Args:
        path: the file.

    Attributes:
        digest: sha256 of the file; it stands for all of its numbers in a fingerprint.

    Raises:
        ModelError: there is no such file.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._data = path.read_bytes()
        except OSError as failed:
            raise ModelError(
                f"the network {path} cannot be read: {failed.strerror}.", hint="Install it anew."
            ) from failed
        self.path = path
        self.digest = hashlib.sha256(self._data).hexdigest()
        self._opening = threading.Lock()
        self._session: Any = None

    def __repr__(self) -> str:
        return f"Network({self.digest[:16]})"

    def rows(self, views: Views) -> npt.NDArray[np.float32]:
        """Return (B, D) of the pictures, not scaled; once, however many parts ask for it.

        Raises:
            ModelError: the network fails.
        """
        if self.digest not in views.kept:
            try:
                session = self._open()
                views.kept[self.digest] = session.run(None, {session.get_inputs()[0].name: network_input(views)})[0]
            except Exception as failed:  # the runtime's errors share no public base
                raise ModelError(f"the network {self.path} failed: {failed}") from failed
        return np.asarray(views.kept[self.digest])

    def _open(self) -> Any:
        import onnxruntime

        with self._opening:
            if self._session is None:
                options = onnxruntime.SessionOptions()
                options.log_severity_level = 3  # errors only
                options.intra_op_num_threads = 1
                self._session = onnxruntime.InferenceSession(self._data, options, providers=["CPUExecutionProvider"])
        return self._session


@dataclass(frozen=True, slots=True)
class NetworkPart:
    """Some of the components that a network gives, scaled to unit norm; a ``Descriptor``.

    Attributes:
        network: what gives them.
        first, dim: which of its components, and how many.
    """

    network: Network
    first: int
    dim: int

    def describe(self, views: Views) -> npt.NDArray[np.float32]:
        """Return (B, dim), rows of unit norm."""
        rows = self.network.rows(views)[:, self.first : self.first + self.dim]
        return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9), np.float32)
