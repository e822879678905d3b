"""Places that are known are found, with their size and rotation."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from lookalike.detect.overlap import overlap
from lookalike.errors import BadInput, UnknownName
from lookalike.local import TEMPLATE_METHODS
from lookalike.local.template import Template
from lookalike.types import Image, Region
from pictures import picture


def scene(patch: Image, x: int, y: int, *, width: int = 320, height: int = 240) -> Image:
    """Return a smooth noisy ground with the patch at (x, y)."""
    random = np.random.default_rng(5)
    small = Pillow.fromarray(random.integers(60, 200, (height // 16, width // 16, 3), dtype=np.uint8))
    ground = np.array(small.resize((width, height), Pillow.Resampling.BICUBIC))
    ground[y : y + patch.shape[0], x : x + patch.shape[1]] = patch
    return ground


@pytest.mark.parametrize("method", sorted(set(TEMPLATE_METHODS) - {"ccorr"}))  # which prefers what is bright
def test_a_copy_is_found_where_it_is(method: str) -> None:
    patch = picture(3, side=48)
    (match,) = Template(patch, method=method, scales=(1, 1)).find(scene(patch, 100, 61))
    assert match.region == Region(100, 61, 148, 109, match.region.score)
    assert match.score == pytest.approx(1, abs=1e-6)
    assert (match.scale, match.rotation) == (1, 0)


def test_a_copy_of_another_size_is_found() -> None:
    large = picture(3, side=96)
    small = np.asarray(Pillow.fromarray(large).resize((60, 60), Pillow.Resampling.LANCZOS))
    (match,) = Template(large).find(scene(small, 30, 100))
    assert overlap(match.region, Region(30, 100, 90, 160)) > 0.8
    assert match.scale == pytest.approx(60 / 96, rel=0.1)


def test_a_turned_copy_is_found_by_turning() -> None:
    patch = picture(7, side=64)
    straight = Pillow.fromarray(scene(patch, 128, 88))  # in the middle, where a rotation leaves it
    image = np.asarray(straight.rotate(10, Pillow.Resampling.BICUBIC))
    (still,) = Template(patch, scales=(1, 1)).find(image)
    (match,) = Template(patch, scales=(1, 1), rotations=15).find(image)
    assert match.rotation == pytest.approx(10)
    assert match.score > still.score + 0.02
    centre = (match.region.x0 + match.region.x1) / 2, (match.region.y0 + match.region.y1) / 2
    assert centre == pytest.approx((160, 120), abs=2)


def test_several_places_best_first_and_apart() -> None:
    patch = picture(3, side=40)
    image = scene(patch, 20, 20)
    image[150:190, 200:240] = (patch * 0.9).astype(np.uint8)
    matches = Template(patch, scales=(1, 1), method="sqdiff").find(image, limit=2)
    assert [(m.region.x0, m.region.y0) for m in matches] == [(20, 20), (200, 150)]
    assert matches[0].score > matches[1].score


def test_boxes_are_in_pixels_of_the_original() -> None:
    patch = picture(3, side=100)
    image = scene(patch, 600, 400, width=1600, height=1200)
    reduced = np.asarray(Pillow.fromarray(image).resize((800, 600), Pillow.Resampling.BOX))
    (match,) = Template(patch, scales=(1, 1)).find(reduced, original=(1600, 1200))
    assert overlap(match.region, Region(600, 400, 700, 500)) > 0.85


def test_its_own_size_is_among_the_sizes() -> None:
    for low, high in ((0.8, 1.25), (0.5, 2), (0.9, 1.05), (0.3, 0.8), (1, 1), (1, 3), (0.97, 1.4)):
        sizes = Template(picture(3), scales=(low, high)).scales
        assert (sizes[0], sizes[-1]) == (low, high)
        assert (1 in sizes) == (low <= 1 <= high)
        assert list(sizes) == sorted(set(sizes))
        assert all(after / before <= 2**0.38 for before, after in pairwise(sizes))


def test_a_template_larger_than_the_image_finds_nothing() -> None:
    assert Template(picture(3, side=90), scales=(1, 2)).find(picture(3, side=60)) == []


def test_a_match_at_the_far_corner_stays_inside() -> None:
    patch = picture(3, side=61)
    image = scene(patch, 501 - 61, 333 - 61, width=501, height=333)
    (match,) = Template(patch, scales=(1, 1), detail=101).find(image)
    assert match.region.x1 <= 501
    assert match.region.y1 <= 333


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scales": (2.0, 1.0)}, "the smaller first, got 2,1"),
        ({"scales": (0.0, 1.0)}, "got 0,1"),
        ({"rotations": 90.0}, "0 to 45 degrees, got 90"),
        ({"detail": 3}, "at least 32 pixels"),
    ],
)
def test_numbers_out_of_range(options: dict[str, object], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        Template(picture(1), **options)  # type: ignore[arg-type]


def test_a_flat_template_and_a_misspelt_method() -> None:
    with pytest.raises(BadInput, match="of one brightness"):
        Template(np.full((20, 20, 3), 90, np.uint8))
    with pytest.raises(UnknownName, match="Did you mean 'ccoeff'"):
        Template(picture(1), method="coeff")


def test_the_box_on_the_table(shared_data: Path) -> None:
    """A photographed box, seen turned and in perspective, half hidden by another."""

    def read(name: str) -> Image:
        return np.asarray(Pillow.open(shared_data / "planar" / name).convert("RGB"))

    (match,) = Template(read("box.png"), scales=(0.25, 1), rotations=10).find(read("box_in_scene.png"))
    seen = Region(13, 62, 190, 206)  # read off the picture by eye
    assert overlap(match.region, seen) > 0.7
