"""Finding the subject of a picture: the table of detectors, and a person's own box.

>>> from lookalike.detect import create_detector               # doctest: +SKIP
>>> create_detector("saliency").detect(photo)[0]               # doctest: +SKIP
Region(x0=120, y0=36, x1=388, y1=301, score=0.81, label='')
"""

from __future__ import annotations

from ..protocols import Detector
from ..registry import Registry

__all__ = ["DETECTORS", "create_detector"]

DETECTORS: Registry[Detector] = Registry(
    "detector",
    {
        "content": "lookalike.detect.content:Content",
        "saliency": "lookalike.detect.saliency:Saliency",
        "grid:": "lookalike.detect.grid:open_grid",
        "onnx:": "lookalike.detect.onnx:open_onnx",
        "tflite:": "lookalike.detect.tflite:open_tflite",
    },
    extras={"tflite:": "tflite"},
)


def create_detector(name: str) -> Detector:
    """Return the detector of a name: ``saliency``, ``content``, ``grid:2x2``, ``onnx:PATH`` or ``tflite:PATH``.

    Raises:
        UnknownName: no such name. NoSuchFile, ModelError: a model file that is not there or cannot be used.
    """
    return DETECTORS.create(name)
