"""Saliency and content on pictures whose subject is known."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageDraw

from lookalike.detect import DETECTORS, create_detector
from lookalike.detect.mass import box_of_mass
from lookalike.detect.overlap import overlap
from lookalike.errors import UnknownName
from lookalike.types import Image, Region

NAMES = [name for name in DETECTORS.names() if not name.endswith(":")]


def product(box: tuple[int, int, int, int], *, width: int = 300, height: int = 200, noise: int = 0) -> Image:
    """Return a red disc with a blue stripe on near-white."""
    canvas = Pillow.new("RGB", (width, height), (245, 245, 245))
    pen = ImageDraw.Draw(canvas)
    pen.ellipse((box[0], box[1], box[2] - 1, box[3] - 1), fill=(200, 30, 40))
    middle = (box[1] + box[3]) // 2
    pen.rectangle((box[0] + 8, middle - 5, box[2] - 8, middle + 5), fill=(20, 40, 200))
    pixels = np.asarray(canvas, np.int16)
    return (pixels + np.random.default_rng(0).integers(-noise, noise + 1, pixels.shape)).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("box", [(180, 90, 260, 170), (10, 10, 70, 90), (100, 60, 200, 140)])
@pytest.mark.parametrize(("name", "least"), [("content", 0.85), ("saliency", 0.5)])
def test_the_subject_is_found(name: str, least: float, box: tuple[int, int, int, int]) -> None:
    (found,) = create_detector(name).detect(product(box, noise=3))
    assert overlap(found, Region(*box, 1.0)) > least
    assert 0 < found.score <= 1


def test_content_is_not_found_in_a_photograph_without_a_plain_border() -> None:
    random = np.random.default_rng(1)
    small = Pillow.fromarray(random.integers(0, 256, (8, 8, 3), dtype=np.uint8))
    assert create_detector("content").detect(np.asarray(small.resize((200, 200)))) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_of_one_colour_has_no_subject(name: str) -> None:
    for size in [(1, 1), (1, 500), (64, 64)]:
        assert create_detector(name).detect(np.full((*size, 3), 77, np.uint8)) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_detector_is_steady(name: str) -> None:
    """Half the resolution and a mirror give the same box, halved and mirrored, to within 3% of the side."""
    image = product((180, 90, 260, 170), noise=3)
    (whole,) = create_detector(name).detect(image)
    half = np.asarray(Pillow.fromarray(image).resize((150, 100), Pillow.Resampling.BOX))
    (small,) = create_detector(name).detect(half)
    (mirrored,) = create_detector(name).detect(image[:, ::-1])
    expected = np.array([whole.x0, whole.y0, whole.x1, whole.y1])
    np.testing.assert_allclose(2 * np.array([small.x0, small.y0, small.x1, small.y1]), expected, atol=9)
    np.testing.assert_allclose([300 - mirrored.x1, mirrored.y0, 300 - mirrored.x0, mirrored.y1], expected, atol=9)


@pytest.mark.parametrize("name", NAMES)
def test_a_detector_says_what_it_is(name: str) -> None:
    detector = create_detector(name)
    assert create_detector(detector.spec).fingerprint == detector.fingerprint
    assert name in detector.fingerprint


def test_a_misspelt_detector() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'saliency'"):
        create_detector("salience")


def test_the_box_of_all_mass_by_hand() -> None:
    weights = np.zeros((10, 20))
    weights[3:7, 5:15] = 1
    assert box_of_mass(weights, tail=0, margin=0) == pytest.approx((0.25, 0.3, 0.75, 0.7))
    # A tenth of the ten columns is one column, of 1/20 of the width; of the four rows it is 0.4 of a row.
    assert box_of_mass(weights, tail=0.1, margin=0) == pytest.approx((0.3, 0.34, 0.7, 0.66))
    # A tenth of half the width on either side.
    assert box_of_mass(weights, tail=0, margin=0.1) == pytest.approx((0.2, 0.26, 0.8, 0.74))
