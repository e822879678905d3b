"""What the outputs of usual detectors mean: boxes as fractions of the input, scores and classes.

- ``yolo``: one array, (1, N, 5 + C) of centre, size, objectness and class scores (YOLOv5), or (1, 4 + C, N) without
  objectness (YOLOv8 and later), overlapping boxes left in; or (1, N, 6) of corners, score and class (YOLOv10 and others
  that end in their own choice of boxes). Pixels of the network's input.
- ``boxes``: (…, N, 4) corners with (…, N) scores and classes (SSD, Faster R-CNN, and the TensorFlow models, whose
  ``detection_boxes`` are y first); pixels of the input, or fractions of it where no number is above 1.5.
- ``yunet``: for strides S of 8, 16 and 32 ``cls_S``, ``obj_S`` (1, N, 1) and ``bbox_S`` (1, N, 4), offsets and log
  sizes in units of the stride, of faces.
- ``mask``: an array of four axes, or of whole numbers: a segmentation; see ``masks``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..errors import ModelError

__all__ = ["Found", "Layout", "layout_of", "read_boxes", "read_yolo", "read_yunet"]

Layout = Literal["yolo", "boxes", "yunet", "mask"]

_STRIDES = (8, 16, 32)
_OWN_CHOICE = 1000  # boxes: networks that choose among theirs give at most a few hundred, others thousands


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


def layout_of(names: Sequence[str], ranks: Sequence[int], whole: Sequence[bool] = ()) -> Layout:
    """Return the layout that a network's outputs have, by their names, numbers of axes, and which are whole numbers.

    Raises:
        ModelError: none of them.
    """
    if {f"{what}_{stride}" for what in ("cls", "obj", "bbox") for stride in _STRIDES} <= set(names):
        return "yunet"
    if {"boxes", "scores"} <= set(_roles(names)):
        return "boxes"
    if 4 in ranks or (len(names) == 1 and ranks[0] == 3 and any(whole)):
        return "mask"
    if len(names) == 1 and ranks[0] == 3:
        return "yolo"
    raise ModelError(
        f"its outputs {', '.join(names)} are of no known layout.",
        hint="Known: one array (1, N, 5 + C), (1, 4 + C, N) or (1, N, 6); boxes with scores and labels, so named; "
        "YuNet's; a segmentation (1, C, H, W).",
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
    if _is_chosen(rows):
        return Found(rows[:, :4] / [width, height, width, height], rows[:, 4], rows[:, 5].astype(np.int64))
    objectness = rows.shape[0] >= rows.shape[1]  # there are more places than classes
    rows = rows if objectness else rows.T
    scores = rows[:, 5:] * rows[:, 4:5] if objectness and rows.shape[1] > 5 else rows[:, 4:]
    half = rows[:, 2:4] / 2
    boxes = np.hstack([rows[:, :2] - half, rows[:, :2] + half]) / [width, height, width, height]
    return Found(boxes, scores.max(axis=1), scores.argmax(axis=1).astype(np.int64))


def _is_chosen(rows: npt.NDArray[np.float64]) -> bool:
    """Say whether rows are corners, a score and a class: those of YOLOv5 with one class are six numbers too."""
    if rows.shape[1] != 6 or len(rows) > _OWN_CHOICE or not np.isfinite(rows).all():
        return False
    classes, scores = rows[:, 5], rows[:, 4]
    ordered = (rows[:, 2] >= rows[:, 0]).all() and (rows[:, 3] >= rows[:, 1]).all()
    return bool(ordered and (classes == np.rint(classes)).all() and (scores >= 0).all() and (scores <= 1).all())


def read_yunet(outputs: Mapping[str, npt.NDArray[Any]], width: int, height: int) -> Found:
    """Read one picture's faces.

    Source: Wu, Peng and Yu, "YuNet: a tiny millisecond-level face detector", MIR 2023, and its decoding in OpenCV
    (``FaceDetectorYN``): a score is the geometric mean of class and objectness; a box's centre lies at its cell's
    corner plus the offset, its size is the exponential, both times the stride.

    Raises:
        ModelError: arrays of other shapes.
    """
    boxes, scores = [], []
    for stride in _STRIDES:
        down, across = height // stride, width // stride
        kind, there, box = (
            np.asarray(outputs[f"{name}_{stride}"], np.float64).reshape(-1, size)
            for name, size in (("cls", 1), ("obj", 1), ("bbox", 4))
        )
        if not len(kind) == len(there) == len(box) == down * across:
            raise ModelError(f"of stride {stride}, {down * across} boxes were expected, got {len(box)}.")
        y, x = np.divmod(np.arange(down * across), across)
        centre = (np.stack([x, y], axis=1) + box[:, :2]) * stride
        half = np.exp(box[:, 2:].clip(-20, 20)) * stride / 2
        boxes.append(np.hstack([centre - half, centre + half]) / [width, height, width, height])
        scores.append(np.sqrt(kind.clip(0, 1) * there.clip(0, 1))[:, 0])
    return Found(np.concatenate(boxes), np.concatenate(scores), np.zeros(sum(map(len, scores)), np.int64))


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
