"""Segmentations as detectors: masks that are known, in every layout; and real weights where they are at hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from detector_models import model
from lookalike.detect import create_detector
from lookalike.detect.about import read_about
from lookalike.detect.masks import Mask, read_mask
from lookalike.detect.onnx import open_onnx
from lookalike.detect.segmentation import Segmentation
from lookalike.embed import create
from lookalike.errors import BadInput, ModelError, NoSuchFile
from lookalike.protocols import Cuts
from lookalike.types import Image

GREY: Image = np.full((100, 200, 3), 128, np.uint8)


def classes() -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return (20, 40): a piece of 8 x 10 of class 2, one of 4 x 4 of class 2, one of 6 x 6 of class 1, and a crumb."""
    out = np.zeros((20, 40), np.int64)
    out[2:10, 5:15] = 2
    out[12:16, 30:34] = 2
    out[12:18, 2:8] = 1
    out[0, 39] = 1  # 1 of 800 pixels: less than 0.5%
    return out


# A pixel of the mask is 5 x 5 of the picture of 200 x 100. 80 + 16 + 36 + 1 pixels are not ground.
FOUND = [
    (25, 10, 75, 50, pytest.approx(80 / 133), "2"),
    (10, 60, 40, 90, pytest.approx(36 / 133), "1"),
    (150, 60, 170, 80, pytest.approx(16 / 133), "2"),
]


def boxes_of(detector: Any, image: Image = GREY) -> list[Any]:
    return [(r.x0, r.y0, r.x1, r.y1, r.score, r.label) for r in detector.detect(image)]


def logits(sure: float = 30.0) -> np.ndarray[Any, Any]:
    out: np.ndarray[Any, Any] = np.moveaxis(np.eye(3, dtype=np.float32)[classes()] * np.float32(sure), -1, 0)[None]
    return out


@pytest.mark.parametrize(
    ("output", "shape"),
    [
        (classes()[None], (1, 3, 64, 64)),
        (classes()[None, None].astype(np.int32), (1, 3, 64, 64)),
        (logits(), (1, 3, "height", "width")),
        (np.ascontiguousarray(logits().transpose(0, 2, 3, 1)), (1, 64, 64, 3)),
    ],
)
def test_the_layouts_of_onnx(tmp_path: Path, output: Any, shape: tuple[Any, ...]) -> None:
    detector = open_onnx(str(model(tmp_path / "s.onnx", {"out": output}, shape=shape)))
    assert isinstance(detector, Segmentation)
    assert isinstance(detector, Cuts)
    assert boxes_of(detector) == FOUND


def test_of_several_outputs_the_first_map_counts(tmp_path: Path) -> None:
    outputs = {"out": logits(), "aux": np.zeros((1, 3, 20, 40), np.float32)}
    assert boxes_of(open_onnx(str(model(tmp_path / "s.onnx", outputs)))) == FOUND


def test_one_channel_is_how_much_a_pixel_belongs_to_the_subject(tmp_path: Path) -> None:
    for values, sure in (((0.2, 0.9), 0.9), ((-3.0, 2.0), 1 / (1 + np.exp(-2.0)))):  # probabilities; or their logits
        channel = np.where(classes() == 2, values[1], values[0]).astype(np.float32)[None, None]
        detector = open_onnx(str(model(tmp_path / "u2.onnx", {"d0": channel})))
        assert boxes_of(detector) == [
            (25, 10, 75, 50, pytest.approx(80 / 96 * sure, abs=1e-6), "1"),
            (150, 60, 170, 80, pytest.approx(16 / 96 * sure, abs=1e-6), "1"),
        ]


def test_certainty_is_the_softmax(tmp_path: Path) -> None:
    mask = read_mask(np.array([[[[0.0]], [[1.0]], [[3.0]]]]), channels_last=False)
    # e^3 / (e^0 + e^1 + e^3) = 20.0855 / 23.8038 = 0.84379
    assert (mask.classes.tolist(), mask.sure.tolist()) == ([[2]], [[pytest.approx(0.84380, abs=1e-5)]])
    already = read_mask(np.array([[[[0.1]], [[0.2]], [[0.7]]]]), channels_last=False)
    assert already.sure.tolist() == [[pytest.approx(0.7)]]


def test_on_white_only_the_piece_is_left(tmp_path: Path) -> None:
    ring = np.zeros((20, 40), np.int64)
    ring[4:12, 8:16] = 1
    ring[6:10, 10:14] = 0
    path = model(tmp_path / "s.onnx", {"out": ring[None]})
    image = np.random.default_rng(0).integers(0, 200, (100, 200, 3), np.uint8)
    plain, white = create_detector(f"onnx:{path}"), create_detector(f"onnx:{path}?ground=white")
    assert isinstance(plain, Cuts)
    assert isinstance(white, Cuts)
    ((box, cut),) = white.cuts(image)
    assert (box.x0, box.y0, box.x1, box.y1) == (40, 20, 80, 60)
    inside = np.kron(ring[4:12, 8:16], np.ones((5, 5), np.int64)).astype(bool)
    np.testing.assert_array_equal(cut[inside], image[20:60, 40:80][inside])
    assert (cut[~inside] == 255).all()
    np.testing.assert_array_equal(plain.cuts(image)[0][1], image[20:60, 40:80])
    assert len({plain.fingerprint, white.fingerprint}) == 2
    assert create_detector(white.spec).fingerprint == white.fingerprint
    inner = create("builtin-1")
    made = create(f"subject:{white.spec}:builtin-1")
    np.testing.assert_array_equal(made.embed([image]), inner.embed([cut]))


def test_nothing_but_ground_is_no_box(tmp_path: Path) -> None:
    empty = open_onnx(str(model(tmp_path / "s.onnx", {"out": np.zeros((1, 20, 40), np.int64)})))
    assert empty.detect(GREY) == []


def test_names_and_numbers_beside_the_file(tmp_path: Path) -> None:
    folder = tmp_path / "net" / "onnx"
    folder.mkdir(parents=True)
    path = model(folder / "model.onnx", {"out": logits()})
    bare = open_onnx(str(path))
    (tmp_path / "net" / "config.json").write_text(json.dumps({"id2label": {"2": "cat"}}))
    (tmp_path / "net" / "preprocessor_config.json").write_text(
        json.dumps({"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]})
    )
    found = open_onnx(str(path))
    assert [box.label for box in found.detect(GREY)] == ["cat", "1", "cat"]
    assert bare.fingerprint != found.fingerprint
    for name, text, words in (
        ("preprocessor_config.json", '{"image_mean": [1, 2], "image_std": 3}', "cannot be read"),
        ("preprocessor_config.json", "[", "no JSON"),
        ("config.json", "[]", "JSON object"),
    ):
        (tmp_path / "net" / name).write_text(text)
        with pytest.raises(ModelError, match=words):
            read_about(path)
        (tmp_path / "net" / name).write_text("{}")


def test_outputs_that_are_none(tmp_path: Path) -> None:
    nan = np.full((1, 3, 4, 4), np.nan, np.float32)
    with pytest.raises(ModelError, match=r"finite \(1, H, W\)"):
        open_onnx(str(model(tmp_path / "nan.onnx", {"out": nan}))).detect(GREY)
    with pytest.raises(ModelError, match="of shape"):
        read_mask(np.zeros((2, 3, 4, 4)), channels_last=False)
    with pytest.raises(BadInput, match="no option 'ground=black'"):
        open_onnx(f"{tmp_path}/x.onnx?ground=black")
    boxes = {"boxes": np.zeros((1, 4), np.float32), "scores": np.zeros(1, np.float32)}
    with pytest.raises(BadInput, match="cannot make the ground white"):
        open_onnx(f"{model(tmp_path / 'b.onnx', boxes)}?ground=white")


def test_tflite_files_that_are_none(tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert")
    with pytest.raises(BadInput, match="needs a path"):
        create_detector("tflite:")
    with pytest.raises(NoSuchFile, match="no such model file"):
        create_detector(f"tflite:{tmp_path}/none.tflite")
    (tmp_path / "bad.tflite").write_bytes(b"no model at all")
    with pytest.raises(ModelError, match="not a usable TensorFlow Lite file"):
        create_detector(f"tflite:{tmp_path}/bad.tflite")


def test_deeplab_finds_what_is_in_photographs(shared_weights: Path, shared_data: Path) -> None:
    """Against the boxes that people drew: of the photographs of one large person, most boxes overlap theirs."""
    import csv
    import tarfile

    from lookalike.detect.overlap import overlap
    from lookalike.images.decode import decode
    from lookalike.types import Region

    detector = create_detector(f"tflite:{shared_weights}/deeplabv3_mnv2_dm05_pascal_quant.tflite")
    people: dict[str, list[dict[str, str]]] = {}
    with (shared_data / "coco128" / "boxes.csv").open() as lines:
        for row in csv.DictReader(lines):
            if row["class_name"] == "person":
                people.setdefault(row["file"], []).append(row)
    large = {name: rows[0] for name, rows in people.items() if len(rows) == 1 and float(rows[0]["h"]) > 0.5}
    shares = []
    with tarfile.open(shared_data / "coco128" / "images.tar") as tar:
        for name, row in sorted(large.items())[:12]:
            data = tar.extractfile(name)
            assert data is not None
            image = decode(data.read()).pixels
            height, width = image.shape[:2]
            cx, cy, w, h = (float(row[key]) for key in ("cx", "cy", "w", "h"))
            left, top = max(0, round((cx - w / 2) * width)), max(0, round((cy - h / 2) * height))
            drawn = Region(left, top, round((cx + w / 2) * width), round((cy + h / 2) * height))
            found = [box for box in detector.detect(image) if box.label == "15"]  # Pascal's person
            shares.append(max((overlap(box, drawn) for box in found), default=0.0))
    assert len(shares) >= 5
    assert np.median(shares) > 0.5


def test_a_mask_holds_one_class_a_pixel() -> None:
    mask = read_mask(logits(), channels_last=False)
    assert isinstance(mask, Mask)
    np.testing.assert_array_equal(mask.classes, classes())
