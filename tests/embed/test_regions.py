"""Parts beside the whole: the same as cutting by hand and embedding that."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lookalike.detect import create_detector
from lookalike.detect.names import read_detectors
from lookalike.embed import create
from lookalike.embed.regions import WithRegions, regions_spec
from lookalike.errors import BadInput, UnknownName
from lookalike.protocols import Regional
from lookalike.testing.embedder import check_embedder
from pictures import picture


@pytest.mark.parametrize("name", ["regions:grid:2x2:builtin-1", "regions:saliency+content:phash"])
def test_the_contract(name: str) -> None:
    check_embedder(lambda: create(name))


@pytest.mark.parametrize("name", ["builtin-1", "phash"])
def test_views_are_the_whole_and_the_crops(name: str) -> None:
    inner = create(name)
    made = create(f"regions:grid:2x1:{name}")
    assert isinstance(made, Regional)
    images = [picture(seed, side=80) for seed in range(3)]
    views = [made.views(image) for image in images]
    for image, (boxes, _), rows in zip(images, views, made.embed_views([v for _, v in views]), strict=True):
        assert [(box.x0, box.x1, box.y0, box.y1) for box in boxes] == [(0, 40, 0, 80), (40, 80, 0, 80)]
        np.testing.assert_array_equal(rows, inner.embed([image, image[:, :40], image[:, 40:]]))
    np.testing.assert_array_equal(made.embed(images), inner.embed(images))
    assert made.embed_views([]) == []


def test_doubles_the_whole_and_what_is_too_small_are_left_out() -> None:
    tiles = [create_detector("grid:2x2"), create_detector("grid:2x2"), create_detector("content")]
    made = WithRegions(create("builtin-1"), tiles)
    assert len(made.views(picture(1, side=80))[0]) >= 4
    assert len(made.views(np.zeros((14, 40, 3), np.uint8))[0]) == 0  # 7 pixels high
    assert len(made.views(np.zeros((16, 40, 3), np.uint8))[0]) == 4
    assert len(made.views(np.zeros((1, 1, 3), np.uint8))[0]) == 0


def test_tiles_cover_the_picture_once() -> None:
    for size in ((1, 1), (3, 2), (100, 77)):
        seen = np.zeros(size, int)
        for box in create_detector("grid:3x5").detect(np.zeros((*size, 3), np.uint8)):
            seen[box.y0 : box.y1, box.x0 : box.x1] += 1
        assert (seen == 1).all()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("grid:2x2+saliency:builtin-1", (["grid:2x2", "saliency"], "builtin-1")),
        ("onnx:C:/a+b/y.onnx+content:onnx:/m.onnx", (["onnx:C:/a+b/y.onnx", "content"], "onnx:/m.onnx")),
        ("tflite:/a.tflite?ground=white:tflite:/b.tflite", (["tflite:/a.tflite?ground=white"], "tflite:/b.tflite")),
        ("saliency", (["saliency"], "")),
        ("", ([], "")),
    ],
)
def test_names_of_detectors(text: str, expected: tuple[list[str], str]) -> None:
    assert read_detectors(text) == expected


def test_a_specification_that_is_kept_means_the_same_in_any_folder() -> None:
    assert regions_spec("whole+saliency", "builtin") == "regions:saliency:builtin-2"
    assert regions_spec("onnx:d.onnx+grid:2x2", "lbp") == f"regions:onnx:{Path.cwd()}/d.onnx+grid:2x2:lbp"
    made = create("regions:grid:2x2+saliency:builtin")
    assert made.space.name == "builtin-2/grid-2x2+saliency"
    again = create(str(made.spec))  # type: ignore[attr-defined]
    assert again.space == made.space
    together = create("regions:grid:2x1:(ensemble:builtin+dhash:0.5)")
    assert create(str(together.spec)).space == together.space  # type: ignore[attr-defined]
    others = ["regions:grid:2x3:builtin", "regions:saliency:builtin", "builtin"]
    assert len({made.fingerprint, *(create(other).fingerprint for other in others)}) == 4


def test_specifications_that_cannot_be() -> None:
    for rest in ("", "saliency", "saliency:", ":builtin"):
        with pytest.raises(BadInput, match="does not name a detector and an embedder"):
            create(f"regions:{rest}")
    for text in ("", "whole", "saliency:builtin"):
        with pytest.raises(BadInput, match="does not name what finds the regions"):
            regions_spec(text, "builtin")
    for size in ("2", "0x2", "1x1", "17x1", "axb", "2x2x2"):
        with pytest.raises(BadInput, match="grid"):
            create_detector(f"grid:{size}")
    with pytest.raises(UnknownName, match="detector 'salient'"):
        create("regions:salient:builtin")
    with pytest.raises(BadInput, match="cut already"):
        create("regions:saliency:subject:content:builtin")
    with pytest.raises(BadInput, match="learns from a collection first"):
        create("regions:saliency:eigenfaces")
