"""ONNX detectors of each layout, as tiny models that give known boxes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from detector_models import model
from lookalike.detect.layouts import layout_of, read_boxes, read_yolo
from lookalike.detect.onnx import OnnxDetector, open_onnx
from lookalike.errors import BadInput, ModelError, NoSuchFile
from lookalike.protocols import Detector
from lookalike.types import Image

GREY: Image = np.full((100, 200, 3), 128, np.uint8)


def boxes_of(detector: Detector, image: Image = GREY) -> list[tuple[int, int, int, int, float, str]]:
    return [(r.x0, r.y0, r.x1, r.y1, round(r.score, 4), r.label) for r in detector.detect(image)]


def yolo_rows() -> np.ndarray[Any, Any]:
    """Return (12, 5 + 2): two doubles of class 1, one of class 0 over them, and places without anything.

    The picture of 200 x 100 fills 64 x 32 of the input of 64 x 64: 3.125 pixels of the picture each.
    """
    rows = np.zeros((12, 7), np.float32)
    rows[2] = [16, 16, 16, 8, 0.9, 0.1, 1.0]
    rows[5] = [16, 16, 16, 9, 0.8, 0.0, 1.0]
    rows[7] = [16, 16, 16, 8, 0.5, 1.0, 0.0]
    return rows


YOLO_FOUND = [(25, 38, 75, 62, 0.9, "1"), (25, 38, 75, 62, 0.5, "0")]


def test_yolo_with_objectness(tmp_path: Path) -> None:
    detector = open_onnx(str(model(tmp_path / "v5.onnx", {"output0": yolo_rows()[None]})))
    assert isinstance(detector, OnnxDetector)
    assert detector.layout == "yolo"
    assert boxes_of(detector) == YOLO_FOUND


def test_yolo_without_objectness(tmp_path: Path) -> None:
    rows = yolo_rows()
    later = np.hstack([rows[:, :4], rows[:, 5:] * rows[:, 4:5]]).T[None]
    detector = open_onnx(str(model(tmp_path / "v8.onnx", {"output0": np.ascontiguousarray(later)})))
    assert boxes_of(detector) == YOLO_FOUND


def test_ssd_in_fractions(tmp_path: Path) -> None:
    outputs = {
        "bboxes": np.array([[[0.1, 0.2, 0.5, 0.6], [0.0, 0.0, 0.1, 0.1]]], np.float32),
        "labels": np.array([[7, 3]], np.int64),
        "scores": np.array([[0.6, 0.1]], np.float32),  # the second is under the least score
    }
    detector = open_onnx(str(model(tmp_path / "ssd.onnx", outputs)))
    assert isinstance(detector, OnnxDetector)
    assert detector.layout == "boxes"
    assert boxes_of(detector) == [(20, 20, 100, 60, 0.6, "7")]


def test_faster_r_cnn_in_pixels_of_the_input(tmp_path: Path) -> None:
    outputs = {
        "boxes": np.array([[0, 0, 32, 64], [32, 0, 64, 64]], np.float32),
        "labels": np.array([1, 2], np.int64),
        "scores": np.array([0.5, 0.9], np.float32),
    }
    detector = open_onnx(str(model(tmp_path / "frcnn.onnx", outputs)))
    assert boxes_of(detector) == [(100, 0, 200, 100, 0.9, "2"), (0, 0, 100, 100, 0.5, "1")]


def test_tensorflow_boxes_are_y_first_and_its_pixels_uint8(tmp_path: Path) -> None:
    outputs = {
        "detection_boxes": np.array([[[0.1, 0.2, 0.5, 0.6]]], np.float32),
        "detection_classes": np.array([[4.0]], np.float32),
        "detection_scores": np.array([[0.75]], np.float32),
        "num_detections": np.array([1.0], np.float32),
    }
    path = model(tmp_path / "tf.onnx", outputs, shape=(1, "height", "width", 3), uint8=True)
    assert boxes_of(open_onnx(str(path))) == [(40, 10, 120, 50, 0.75, "4")]


def test_nothing_found_is_no_box(tmp_path: Path) -> None:
    detector = open_onnx(str(model(tmp_path / "none.onnx", {"out": np.zeros((1, 12, 7), np.float32)})))
    assert detector.detect(GREY) == []


def test_the_picture_that_the_network_sees(tmp_path: Path) -> None:
    """A model whose one box is as high as the mean of its input: half of it picture, half the grey ground."""
    given = helper.make_tensor_value_info("image", TensorProto.FLOAT, (1, 3, 64, 64))
    out = helper.make_tensor_value_info("out", TensorProto.FLOAT, (1, 12, 6))
    nodes = [
        helper.make_node("ReduceMean", ["image"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "mask"], ["out"]),
    ]
    mask = np.zeros((1, 12, 6), np.float32)
    mask[0, :, 4:] = 1
    mask[0, :, :4] = 32
    graph = helper.make_graph(nodes, "mean", [given], [out], [numpy_helper.from_array(mask, "mask")])
    path = tmp_path / "mean.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    (found,) = open_onnx(str(path)).detect(np.full((100, 200, 3), 255, np.uint8))
    mean = (1 + 114 / 255) / 2
    assert found.score == pytest.approx(mean**2, abs=1e-5)  # objectness times class, both the mean


def test_models_that_are_no_detectors(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="needs a path"):
        open_onnx("")
    with pytest.raises(NoSuchFile, match="no such model file"):
        open_onnx(str(tmp_path / "missing.onnx"))
    (tmp_path / "junk.onnx").write_bytes(b"junk")
    with pytest.raises(ModelError, match="no ONNX model"):
        open_onnx(str(tmp_path / "junk.onnx"))
    classifier = model(tmp_path / "classifier.onnx", {"logits": np.zeros((1, 1000), np.float32)})
    with pytest.raises(ModelError, match=r"classifier\.onnx: its outputs logits are of no known layout"):
        open_onnx(str(classifier))
    flat = model(tmp_path / "flat.onnx", {"out": np.zeros((1, 12, 7), np.float32)}, shape=(1, 10))
    with pytest.raises(ModelError, match="should take one picture of 4 axes"):
        open_onnx(str(flat))


def test_arrays_that_do_not_go_together() -> None:
    with pytest.raises(ModelError, match="2 boxes with 1 scores"):
        read_boxes({"boxes": np.zeros((2, 4)), "scores": np.zeros(1)}, 10, 10)
    with pytest.raises(ModelError, match=r"got \(1, 3, 3\)"):
        read_yolo(np.zeros((1, 3, 3)), 10, 10)
    assert layout_of(["boxes", "scores"], [2, 1]) == "boxes"
