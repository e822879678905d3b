"""What the outputs of usual detectors mean: boxes as fractions of the input, scores and classes.

- ``yolo``: one array, (1, N, 5 + C) of centre, size, objectness and class scores (YOLOv5), or (1, 4 + C, N) without
  objectness (YOLOv8 and later); pixels of the network's input, overlapping boxes left in.
- ``boxes``: (…, N, 4) corners with (…, N) scores and classes (SSD, Faster R-CNN, and the TensorFlow models, whose
  ``detection_boxes`` are y first); pixels of the input, or fractions of it where no number is above 1.5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..errors import ModelError

__all__ = ["Found", "Layout", "layout_of", "read_boxes", "read_yolo"]

Layout = Literal["yolo", "boxes"]


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Boxes of one picture.

    Attributes:
        boxes: (N, 4) x0, y0, x1, y1 as fractions of the network's input.
        scores: (N,) in [0, 1].
        classes: (N,) whole numbers.
    """

    boxes: npt.NDArray[np.float64]
    scores: npt.NDArray[np.float64]
    classes: npt.NDArray[np.int64]


def layout_of(names: Sequence[str], ranks: Sequence[int]) -> Layout:
    """Return the layout that a network's outputs have, by their names and numbers of axes.

    Raises:
        ModelError: neither.
    """
    if len(names) == 1 and ranks[0] == 3:
        return "yolo"
    if {"boxes", "scores"} <= set(_roles(names)):
        return "boxes"
    raise ModelError(
        f"its outputs {', '.join(names)} are of no known layout.",
        hint="Known: one array (1, N, 5 + C) or (1, 4 + C, N), or boxes with scores and labels, so named.",
    )


def _roles(names: Sequence[str]) -> dict[str, str]:
    roles: dict[str, str] = {}
    for name in names:
        low = name.lower()
        for role, words in (("scores", ("score",)), ("classes", ("label", "class")), ("boxes", ("box",))):
            if any(word in low for word in words):
                roles.setdefault(role, name)
                break
    return roles


def read_yolo(output: npt.NDArray[Any], width: int, height: int) -> Found:
    """Read one picture's array; ``width`` and ``height`` are the network's input in pixels.

    Raises:
        ModelError: an array of another shape.
    """
    rows = np.asarray(output, dtype=np.float64)
    rows = rows[0] if rows.ndim == 3 and len(rows) == 1 else rows
    if rows.ndim != 2 or min(rows.shape) < 5:
        raise ModelError(f"a YOLO detector gives (1, N, 5 + C) or (1, 4 + C, N), got {output.shape}.")
    objectness = rows.shape[0] >= rows.shape[1]  # there are more places than classes
    rows = rows if objectness else rows.T
    scores = rows[:, 5:] * rows[:, 4:5] if objectness and rows.shape[1] > 5 else rows[:, 4:]
    half = rows[:, 2:4] / 2
    boxes = np.hstack([rows[:, :2] - half, rows[:, :2] + half]) / [width, height, width, height]
    return Found(boxes, scores.max(axis=1), scores.argmax(axis=1).astype(np.int64))


def read_boxes(outputs: Mapping[str, npt.NDArray[Any]], width: int, height: int) -> Found:
    """Read one picture's boxes, scores and classes.

    Raises:
        ModelError: the arrays do not go together.
    """
    roles = _roles(list(outputs))
    boxes = np.asarray(outputs[roles["boxes"]], dtype=np.float64).reshape(-1, 4)
    scores = np.asarray(outputs[roles["scores"]], dtype=np.float64).reshape(-1)
    labels = outputs.get(roles.get("classes", ""))
    classes = np.zeros(len(scores)) if labels is None else np.asarray(labels).reshape(-1)
    if not len(boxes) == len(scores) == len(classes):
        raise ModelError(f"{len(boxes)} boxes with {len(scores)} scores and {len(classes)} labels do not go together.")
    if roles["boxes"] == "detection_boxes":
        boxes = boxes[:, [1, 0, 3, 2]]
    if boxes.size and boxes.max() > 1.5:  # fractions stick out a little where the subject does
        boxes = boxes / [width, height, width, height]
    return Found(boxes, scores, classes.astype(np.int64))
