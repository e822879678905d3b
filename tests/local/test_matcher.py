"""Checking pairs of pictures; and template matching against OpenCV's."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from lookalike.detect.overlap import overlap
from lookalike.errors import BadInput, UnknownName
from lookalike.images.decode import decode
from lookalike.local import TEMPLATE_METHODS, create_matcher
from lookalike.local.correlation import Field
from lookalike.local.matcher import TemplateMatcher
from lookalike.local.template import Template, gray
from lookalike.types import Image, Region
from pictures import picture

# OpenCV's number of a method, and what makes ours of its score: of n pixels.
OPENCV: dict[str, tuple[int, Callable[[Any, int], Any]]] = {
    "ccorr": (cv2.TM_CCORR, lambda score, n: score / n),
    "sqdiff": (cv2.TM_SQDIFF, lambda score, n: 1 - score / n),
    "ccoeff": (cv2.TM_CCOEFF_NORMED, lambda score, n: score),
    "sqdiff-normed": (cv2.TM_SQDIFF_NORMED, lambda score, n: 1 - score),
}


@pytest.mark.parametrize("method", sorted(OPENCV))
@pytest.mark.parametrize("seed", range(3))
def test_every_place_scores_as_in_opencv(method: str, seed: int) -> None:
    assert set(OPENCV) == set(TEMPLATE_METHODS)
    image = gray(picture(seed, side=120))
    template = gray(picture(seed + 9, side=31))[:, :24] if seed else image[40:71, 20:44]
    number, ours = OPENCV[method]
    theirs = cv2.matchTemplate(image.astype(np.float32), template.astype(np.float32), number)
    found = TEMPLATE_METHODS[method](Field(image).sums(template))
    expected = ours(theirs.astype(np.float64), template.size)
    # OpenCV sums in float32, which tells where a window hardly varies; loops in float64 are the other oracle.
    assert np.abs(found - expected).max() < 1e-3
    assert np.abs(found - expected).mean() < 1e-5


def scene(patch: Image, x: int, y: int) -> Image:
    ground = np.kron(picture(77, side=24), np.ones((10, 10, 1), np.uint8))
    ground[y : y + patch.shape[0], x : x + patch.shape[1]] = patch
    return ground


def test_a_pair_is_checked_as_by_a_template() -> None:
    patch = picture(3, side=48)
    matcher = create_matcher("template", scales=(0.8, 1.25))
    match = matcher.match(patch, scene(patch, 90, 30))
    (expected,) = Template(patch, scales=(0.8, 1.25)).find(scene(patch, 90, 30))
    assert match == expected
    assert overlap(match.region, Region(90, 30, 138, 78)) > 0.9
    other = matcher.match(patch, scene(picture(4, side=48), 90, 30))
    assert other is not None
    assert other.score < match.score - 0.2
    half = matcher.match(patch, scene(patch, 90, 30)[::2, ::2], original=(240, 240))
    assert half is not None
    assert overlap(half.region, Region(90, 30, 138, 78)) > 0.7


def test_where_there_can_be_no_match() -> None:
    matcher = TemplateMatcher(scales=(1, 1))
    assert matcher.match(np.full((20, 20, 3), 9, np.uint8), picture(1, side=60)) is None
    assert matcher.match(picture(1, side=60), picture(1, side=40)) is None
    with pytest.raises(UnknownName, match="matcher 'templet'"):
        create_matcher("templet")
    with pytest.raises(BadInput, match="cannot be made of colour"):
        create_matcher("template", colour=True)
    with pytest.raises(UnknownName, match="unknown method"):
        create_matcher("template", method="sqdif").match(picture(1), picture(2))


def test_many_threads_and_many_queries() -> None:
    matcher = TemplateMatcher(scales=(1, 1))
    patches = [picture(seed, side=32) for seed in range(20)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda patch: matcher.match(patch, scene(patch, 50, 60)), patches * 3))
    for match in found:
        assert match is not None
        assert (match.region.x0, match.region.y0) == (50, 60)
        assert match.score == pytest.approx(1, abs=1e-6)


def test_the_box_in_a_cluttered_scene(shared_data: Path) -> None:
    """A thing seen in perspective, turned and half its size: found in its place, by looking for it turned."""
    names = ("box.png", "box_in_scene.png")
    box, clutter = (decode((shared_data / "planar" / name).read_bytes()).pixels for name in names)
    match = create_matcher("template", scales=(0.3, 0.8), rotations=30).match(box, clutter)
    assert match is not None
    assert overlap(match.region, Region(28, 62, 196, 192)) > 0.7  # read off the picture
    assert -20 <= match.rotation <= 0
