"""Layouts whose reading has an oracle elsewhere: OpenCV's YuNet, and loops."""

from __future__ import annotations

import math
import tarfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from detector_models import model
from lookalike.detect import create_detector
from lookalike.detect.layouts import read_yolo, read_yunet
from lookalike.detect.onnx import OnnxDetector, open_onnx
from lookalike.detect.overlap import overlap
from lookalike.errors import ModelError
from lookalike.images.decode import decode
from lookalike.types import Image, Region

GREY: Image = np.full((100, 200, 3), 128, np.uint8)


def yunet_arrays(width: int, height: int, seed: int = 0) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    out: dict[str, Any] = {}
    for stride in (8, 16, 32):
        n = (height // stride) * (width // stride)
        out[f"cls_{stride}"] = random.random((1, n, 1)).astype(np.float32)
        out[f"obj_{stride}"] = random.random((1, n, 1)).astype(np.float32)
        out[f"bbox_{stride}"] = random.normal(size=(1, n, 4)).astype(np.float32)
        out[f"kps_{stride}"] = random.normal(size=(1, n, 10)).astype(np.float32)
    return out


def test_yunet_as_a_loop_over_its_cells() -> None:
    arrays = yunet_arrays(96, 64)
    found = read_yunet(arrays, 96, 64)
    expected = []
    for stride in (8, 16, 32):
        cell = 0
        for y in range(64 // stride):
            for x in range(96 // stride):
                dx, dy, lw, lh = (float(v) for v in arrays[f"bbox_{stride}"][0, cell])
                cx, cy = (x + dx) * stride, (y + dy) * stride
                w, h = math.exp(lw) * stride, math.exp(lh) * stride
                kind, there = (float(arrays[f"{name}_{stride}"][0, cell, 0]) for name in ("cls", "obj"))
                score = math.sqrt(kind * there)
                expected.append([(cx - w / 2) / 96, (cy - h / 2) / 64, (cx + w / 2) / 96, (cy + h / 2) / 64, score])
                cell += 1
    np.testing.assert_allclose(np.column_stack([found.boxes, found.scores]), expected, rtol=1e-6)
    with pytest.raises(ModelError, match="of stride 8, 48 boxes were expected, got 96"):
        read_yunet(arrays, 64, 48)


@pytest.mark.parametrize("size", ["n", "s"])
def test_yunet_finds_the_faces_that_opencv_finds(size: str, shared_weights: Path, shared_data: Path) -> None:
    path = shared_weights / f"yunet_{size}_dynamic.onnx"
    mine = create_detector(f"onnx:{path}")
    theirs = cv2.FaceDetectorYN.create(str(path), "", (640, 640), 0.6, 0.3)
    seen = 0
    with tarfile.open(shared_data / "coco128" / "images.tar") as tar:
        for name in sorted(tar.getnames())[:40]:
            member = tar.extractfile(name)
            assert member is not None
            image = decode(member.read()).pixels
            height, width = image.shape[:2]
            factor = 640 / max(width, height)
            small = cv2.resize(image, (round(width * factor), round(height * factor)), interpolation=cv2.INTER_LINEAR)
            canvas = np.zeros((640, 640, 3), np.uint8)
            canvas[: small.shape[0], : small.shape[1]] = small[..., ::-1]
            faces = theirs.detect(canvas)[1]
            expected = [] if faces is None else [(*(row[:4] / factor), float(row[14])) for row in faces]
            found = mine.detect(image)
            # Faces near the least score may fall on either side of it, by the resampling.
            for x, y, w, h, score in expected:
                left, top = max(0, round(x)), max(0, round(y))
                box = Region(
                    left, top, max(left + 1, min(width, round(x + w))), max(top + 1, min(height, round(y + h)))
                )
                best = max(found, key=lambda region: overlap(region, box), default=None)
                if score > 0.7:
                    seen += 1
                    assert best is not None
                    assert overlap(best, box) > 0.8, (name, box, best)
                    assert best.score == pytest.approx(score, abs=0.05)
                    assert best.label == "face"
            sure = sum(score > 0.55 for *_, score in expected)
            assert sum(region.score > 0.7 for region in found) <= sure
    assert seen >= 10


def test_boxes_that_the_network_chose_itself(tmp_path: Path) -> None:
    """YOLOv10: corners, score, class. The picture of 200 x 100 fills 64 x 32 of the input: 3.125 pixels each."""
    rows = np.zeros((300, 6), np.float32)
    rows[0] = [8, 12, 24, 20, 0.9, 1]
    rows[1] = [0, 0, 64, 32, 0.3, 5]
    detector = open_onnx(str(model(tmp_path / "v10.onnx", {"output0": rows[None]})))
    assert isinstance(detector, OnnxDetector)
    assert [(r.x0, r.y0, r.x1, r.y1, round(r.score, 4), r.label) for r in detector.detect(GREY)] == [
        (25, 38, 75, 62, 0.9, "1"),
        (0, 0, 200, 100, 0.3, "5"),
    ]


def test_six_numbers_of_a_yolov5_of_one_class_are_no_corners() -> None:
    random = np.random.default_rng(3)
    rows = np.column_stack([random.uniform(0, 64, (50, 4)), random.random((50, 2))])
    found = read_yolo(rows[None], 64, 64)
    np.testing.assert_allclose(found.scores, rows[:, 4] * rows[:, 5])
    np.testing.assert_allclose(found.boxes[:, 0] * 64, rows[:, 0] - rows[:, 2] / 2)
